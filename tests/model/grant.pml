/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing what an environment holds while it runs: the protocol between command, tender
 * and caretaker, with a crash of any of them at any step. tests/model/run.sh has Spin
 * walk through every interleaving.
 *
 *	command   reads the generation from the registry, connects to the tender that is
 *	          there by then, sends one packet (operation, generation, the descriptor of
 *	          what it opened), waits for the answer or for the end of the connection
 *	tender    one request at a time. Refuses another generation than its own, decides,
 *	          records the intent, acts, records the end, answers
 *	caretaker serves one slot. Says READY, and DONE to what it is told. Its death aborts
 *	          the connection (the kernel does that), and so is a cut; the tender's death
 *	          it sees as the end of their channel, and ends
 *	program   opens and uses what is mounted; what it has open it can use when the mount
 *	          is gone, for as long as the caretaker serves
 *
 * A tender that dies takes its environment along (PDEATHSIG of the init), in a moment and
 * not at once; after that a new start may follow, with the next generation.
 *
 * Authority is a level: 0 nothing, 1 attenuated, 2 as granted. What must hold:
 *
 *	no use above what was answered: none after a revocation, none at level 2 after an
 *	attenuation has returned                                            (A1, in use)
 *	no use above what the journal says: its last complete record, or its open intent
 *	                                                                    (A2, in use)
 *	a grant that was answered can be used until a revocation is asked for, unless tender
 *	or caretaker died; that a command died is no excuse                (A3, monitor)
 *	no request of another generation is obeyed                         (A4, tender)
 *	nobody waits forever, no caretaker outlives its tender, and a caretaker's death ends
 *	in the journal                                     (A5, when nothing moves any more)
 *
 * Each BUG_… is a mistake that somebody could make, and must be found.
 *
 * Not modelled: a caretaker that hangs. The tender gives it a time, then SIGKILL, which
 * is its death. A ttl= that ends is a caretaker that ends by itself, which is the same.
 */
#define NONE 9
#define NGEN 2
#define NCMD 2
#ifndef NCARE
#define NCARE 2 /* caretakers that are started, in all */
#endif
#ifndef OPS
#define OPS 2 /* requests of the second command; the first asks for one thing */
#endif
#ifndef CRASHES
#define CRASHES 2
#endif

mtype = { GRANT, NARROW, REVOKE, OK, GONE, REFUSED, STALE, READY, CUT, ATTENUATE, DONE };

/* What the kernel knows. */
bool tender_alive[NGEN], env_alive[NGEN], cmd_alive[NCMD], care_alive[NCARE];
bool serving[NCARE]; /* its connection is open */
byte level[NCARE];   /* what it lets through */
byte mounted[NGEN] = NONE; /* whose file system is at the slot */
byte opened[NGEN] = NONE;  /* whose file the program has open */

/* What the registry and its journal know. */
byte gen = 0;
byte done[NGEN];   /* of the last complete record */
byte intent[NGEN]; /* of the open intent: the level it may lead to */
bool open_intent[NGEN];

chan ctl[NGEN] = [NCMD] of { mtype, byte, byte };
chan reply[NCMD] = [1] of { mtype };
chan down[NCARE] = [1] of { mtype };
chan up[NCARE] = [2] of { mtype };

/* For the properties alone. */
byte cap[NGEN];      /* the most that was ever asked for and not taken back */
bool promised[NGEN]; /* a grant was answered, and no change asked for since */
bool latest[NCMD];   /* nobody has asked for the opposite since it asked */
bool crashed[NGEN];  /* its tender, or a caretaker of it, died */
bool finished[NCMD];
byte started = 0; /* caretakers */
byte crashes = 0;

#define BOUND(g) ((open_intent[g] && intent[g] > done[g]) -> intent[g] : done[g])

/* ---- caretaker ---- */

proctype caretaker(byte n; byte g) provided (care_alive[n])
{
	mtype what;

	level[n] = 2;
	serving[n] = true;
	up[n]!READY;
	do
	:: down[n]?what ->
		if
		:: what == ATTENUATE ->
			level[n] = 1;
			up[n]!DONE
		:: what == CUT ->
			/* invalidates what the kernel has cached, and aborts */
			serving[n] = false;
			up[n]!DONE;
			break
		fi
#ifndef BUG_KEEPS_SERVING
	:: !tender_alive[g] && empty(down[n]) -> break
#endif
	od;
	skip;
	d_step { care_alive[n] = false; serving[n] = false; what = 0 }
}

/* ---- tender ---- */

inline record_intent(to)
{
	d_step { intent[g] = to; open_intent[g] = true }
}

inline record_done(to)
{
	d_step { done[g] = to; open_intent[g] = false; intent[g] = 0 }
}

inline cut_recorded()
{
	d_step { done[g] = 0; open_intent[g] = false; intent[g] = 0; n = NONE }
}

inline start_caretaker()
{
	atomic {
		n = started;
		started++;
		care_alive[n] = true;
		run caretaker(n, g)
	}
}

proctype tender(byte g) provided (tender_alive[g])
{
	byte want, c, n = NONE;
	mtype op;

	do
	:: ctl[g]?op, want, c ->
#ifndef BUG_OBEYS_STALE
		if
		:: want != g -> reply[c]!STALE; goto next
		:: else
		fi;
#endif
		assert(want == g); /* A4 */
		if
		:: op == GRANT && done[g] == 0 && n == NONE && started < NCARE ->
#ifdef BUG_MOUNTS_FIRST
			start_caretaker();
			(nempty(up[n]) || !care_alive[n]);
			mounted[g] = n;
#endif
			record_intent(2);
#ifndef BUG_MOUNTS_FIRST
			start_caretaker();
#endif
			do
			:: up[n]?READY ->
#ifdef BUG_PROMISES_EARLY
				reply[c]!OK;
				mounted[g] = n;
				record_done(2);
				break
#else
				mounted[g] = n;
				record_done(2);
				reply[c]!OK;
				break
#endif
			:: !care_alive[n] && empty(up[n]) ->
				mounted[g] = NONE;
				cut_recorded();
				reply[c]!GONE;
				break
			od
		:: op == NARROW && done[g] == 2 && n != NONE ->
			record_intent(1);
			down[n]!ATTENUATE;
			do
			:: up[n]?DONE ->
				record_done(1);
				reply[c]!OK;
				break
			:: !care_alive[n] && empty(up[n]) ->
#ifdef BUG_MAKES_ANOTHER
				if
				:: started < NCARE ->
					start_caretaker();
					up[n]?READY;
					mounted[g] = n;
					record_done(1);
					reply[c]!OK;
					break
				:: else
				fi;
#endif
				mounted[g] = NONE;
				cut_recorded();
				reply[c]!GONE;
				break
			od
		:: op == REVOKE && done[g] > 0 && n != NONE ->
			record_intent(0);
			down[n]!CUT;
#ifdef BUG_ANSWERS_EARLY
			reply[c]!OK;
#endif
			if
			:: up[n]?DONE
#ifndef BUG_WAITS_FOR_THE_DEAD
			:: !care_alive[n] && empty(up[n])
#endif
			fi;
			mounted[g] = NONE;
			cut_recorded();
#ifndef BUG_ANSWERS_EARLY
			reply[c]!OK
#endif
		:: else -> reply[c]!REFUSED
		fi;
next:		skip;
		d_step { want = 0; c = 0; op = 0 } /* fewer states */
	:: n != NONE && !care_alive[n] -> /* it ended by itself */
		mounted[g] = NONE;
#ifdef BUG_FORGETS_DEATH
		n = NONE
#else
		cut_recorded()
#endif
	od
}

/* ---- command ---- */

/* Requests are taken in the order of their sending, so that who asked last is right. */
inline asked()
{
	latest[0] = latest[0] && ((op == GRANT) == was_grant[0]);
	latest[1] = latest[1] && ((op == GRANT) == was_grant[1]);
	latest[me] = true;
	was_grant[me] = (op == GRANT);
	if
	:: op == GRANT -> cap[t] = 2
	:: else -> promised[t] = false
	fi
}

inline answered()
{
	if
	:: what != OK || !latest[me]
	:: else ->
		if
		:: op == GRANT -> promised[t] = true
		:: op == NARROW && cap[t] == 2 -> cap[t] = 1
		:: op == REVOKE -> cap[t] = 0
		:: else
		fi
	fi
}

bool was_grant[NCMD];

proctype command(byte me; byte ops) provided (cmd_alive[me])
{
	byte want, t, i = 0;
	mtype op, what;

	do
	:: atomic { i < ops ->
		i++;
		want = gen;
		if
		:: op = GRANT
		:: op = NARROW
		:: op = REVOKE
		fi };
		t = gen; /* it connects to whoever is there now */
		if
		:: atomic { tender_alive[t] -> asked(); ctl[t]!op, want, me };
			if
			:: atomic { reply[me]?what -> answered() }
			:: !tender_alive[t] && empty(reply[me])
			fi
		:: !tender_alive[t]
		fi;
		d_step { want = 0; t = 0; op = 0; what = 0; latest[me] = false;
			 was_grant[me] = false }
	:: atomic { i == ops -> finished[me] = true; break }
	od
}

/* ---- program ---- */

/* Each use that is possible is taken for tried: a step is needed only where one breaks
 * a promise, and the search stays small. */
#define USABLE(n) (n != NONE && serving[n])
#define BREAKS(n) (level[n] > cap[g] /* A1 */ || level[n] > BOUND(g) /* A2 */)

proctype program(byte g) provided (env_alive[g])
{
	do
	:: d_step { USABLE(mounted[g]) && opened[g] != mounted[g] ->
		opened[g] = mounted[g] }
	:: d_step { USABLE(mounted[g]) && BREAKS(mounted[g]) -> assert(false) }
	:: d_step { USABLE(opened[g]) && BREAKS(opened[g]) -> assert(false) }
	od
}

/* ---- the kernel, and what crashes ---- */

proctype kernel()
{
	byte g = 0;

end:	do
	:: d_step { g < NGEN && !tender_alive[g] && env_alive[g] ->
		env_alive[g] = false;
		mounted[g] = NONE;
		opened[g] = NONE;
		g++ }
	od
}

proctype crash()
{
	byte n;

end:	do
	:: d_step { crashes < CRASHES && tender_alive[0] ->
		crashes++;
		tender_alive[0] = false;
		crashed[0] = true }
	:: atomic { crashes < CRASHES ->
		if
		:: n = 0
		:: n = NCARE - 1
		fi;
		if
		:: care_alive[n] ->
			crashes++;
			care_alive[n] = false;
			serving[n] = false;
			level[n] = 0;
			crashed[gen] = true;
			crashed[0] = true
		:: else
		fi;
		n = 0 }
	:: atomic { crashes < CRASHES && cmd_alive[0] && !finished[0] ->
		crashes++;
		cmd_alive[0] = false }
	od
}

proctype start_again()
{
end:	atomic {
		!tender_alive[0];
		gen = 1;
		tender_alive[1] = true;
		env_alive[1] = true;
		run tender(1);
		run program(1)
	}
}

/* ---- what must hold ---- */

proctype monitor()
{
	byte g;

end:	do
	:: d_step { promised[0] && !crashed[0] &&
		   (mounted[0] == NONE || !serving[mounted[0]] || level[mounted[0]] != 2) ->
		assert(false) } /* A3 */
	:: d_step { promised[1] && !crashed[1] && !crashed[0] &&
		   (mounted[1] == NONE || !serving[mounted[1]] || level[mounted[1]] != 2) ->
		assert(false) }
	:: timeout -> break
	od;
	/* A5. Whoever is left waits for a request, for a tender or for a use. */
	assert(finished[0] || !cmd_alive[0]);
	assert(finished[1] || !cmd_alive[1]);
	d_step {
		for (g : 0 .. NGEN - 1) {
			if
			:: tender_alive[g] ->
				assert(!open_intent[g]);
				assert(done[g] == 0 || (mounted[g] != NONE &&
					care_alive[mounted[g]] &&
					level[mounted[g]] == done[g]))
			:: else -> assert(!env_alive[g])
			fi
		};
		assert(tender_alive[0] || mounted[0] == NONE)
	}
	/* Those of a tender that died; those of the other are mounted. */
	d_step {
		for (g : 0 .. NCARE - 1) {
			assert(!care_alive[g] || g == mounted[gen])
		}
	}
}

init
{
	atomic {
		tender_alive[0] = true;
		env_alive[0] = true;
		cmd_alive[0] = true;
		cmd_alive[1] = true;
		run kernel();
		run tender(0);
		run program(0);
		run command(0, 1);
		run command(1, OPS);
		run crash();
		run start_again();
		run monitor()
	}
}
