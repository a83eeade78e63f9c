/* SPDX-License-Identifier: ISC */
/*
 * iface.c - a net device as an interface of lwIP.
 *
 * Theory of operation
 *
 * A frame is read into a buffer that already is a pbuf, so that it goes up without a copy.
 * Whoever holds on to it (reassembly, a gap in a TCP stream) holds a whole buffer; there
 * are RX_BUFFERS of them, and when the last is taken, what waits for gaps is let go of: it
 * is sent again. Frames are read in batches, then the connections are told, so that one
 * call of a program sees all of what came together and its answers leave together.
 *
 * Out, a frame of one piece goes to the device from where it lies; one of several pieces
 * (a header in front of bytes that are not copied) is put together in one buffer first.
 */
#include "net-internal.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/snmp.h"
#include "netif/ethernet.h"

#include <stdlib.h>
#include <string.h>

#define RX_BUFFERS 512
#define BATCH 64
#define MAX_MTU 9000

struct rx_buffer {
	struct pbuf_custom pbuf; /* first: lwIP gives it back */
	struct rx_buffer *next;
	size_t size;
	uint8_t frame[];
};

struct pg_iface *pg_ifaces;
struct pg_net_stats pg_net_counts;

static struct rx_buffer *spare;
static unsigned n_buffers;
static uint8_t *out_frame;
static size_t frame_max; /* of any device */

static void rx_free(struct pbuf *p)
{
	struct rx_buffer *b = (struct rx_buffer *)p;

	b->next = spare;
	spare = b;
}

static bool release_gaps(void)
{
	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		if (pcb->ooseq)
			tcp_free_ooseq(pcb);
	return spare != NULL;
}

static struct rx_buffer *rx_alloc(void)
{
	struct rx_buffer *b = spare;

	if (!b && n_buffers < RX_BUFFERS) {
		b = pg_lwip_malloc(sizeof *b + frame_max);
		if (b) {
			b->size = frame_max;
			n_buffers++;
			return b;
		}
	}
	if (!b && release_gaps())
		b = spare;
	if (b)
		spare = b->next;
	return b;
}

/* Nothing is left to keep it in: it is read all the same, so that the device goes on. */
static int drop_one(struct pg_iface *i)
{
	size_t len;

	pg_net_counts.dropped_in++;
	return pg_net_read(i->device, out_frame, frame_max, &len);
}

static int input_one(struct pg_iface *i)
{
	struct rx_buffer *b = rx_alloc();
	struct pbuf *p;
	size_t len = 0;
	int r;

	if (!b)
		return drop_one(i);
	r = pg_net_read(i->device, b->frame, b->size, &len);
	if (r != PG_OK || len > b->size) {
		b->next = spare;
		spare = b;
		return r;
	}
	pg_net_counts.frames_in++;
	pg_net_counts.bytes_in += len;
	b->pbuf.custom_free_function = rx_free;
	p = pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &b->pbuf, b->frame,
				(u16_t)b->size);
	if (!p) {
		rx_free(&b->pbuf.pbuf);
		return PG_OK;
	}
	if (i->netif.input(p, &i->netif) != ERR_OK)
		pbuf_free(p);
	return PG_OK;
}

void pg_iface_input(struct pg_iface *i)
{
	for (int n = 0; n < BATCH; n++)
		if (input_one(i) != PG_OK)
			return;
}

static err_t output(struct netif *netif, struct pbuf *p)
{
	struct pg_iface *i = (struct pg_iface *)netif;
	const void *frame = p->payload;
	size_t len = p->tot_len;

	if (len > PG_NET_FRAME_BYTES(i->info.mtu))
		return ERR_BUF;
	if (p->next) {
		pbuf_copy_partial(p, out_frame, (u16_t)len, 0);
		frame = out_frame;
	}
	/* What a device does not take is lost, as on a wire: TCP sends it again. */
	if (pg_net_write(i->device, frame, len) == PG_OK) {
		pg_net_counts.frames_out++;
		pg_net_counts.bytes_out += len;
	} else {
		pg_net_counts.dropped_out++;
	}
	return ERR_OK;
}

static err_t init(struct netif *netif)
{
	struct pg_iface *i = (struct pg_iface *)netif;

	netif->name[0] = 'p';
	netif->name[1] = 'g';
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = output;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, i->info.mac, 6);
	netif->mtu = i->info.mtu < MAX_MTU ? i->info.mtu : MAX_MTU;
	netif->mtu6 = netif->mtu;
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
		       NETIF_FLAG_MLD6 | NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

bool pg_iface_add(struct pg_iface *i)
{
	struct pg_iface **at = &pg_ifaces;
	size_t bytes = PG_NET_FRAME_BYTES(i->info.mtu);

	if (bytes > frame_max && n_buffers > 0)
		return false; /* all are added before the first frame */
	if (bytes > frame_max) {
		free(out_frame);
		out_frame = malloc(bytes);
		frame_max = bytes;
	}
	if (!out_frame || !netif_add_noaddr(&i->netif, i, init, ethernet_input))
		return false;
	while (*at)
		at = &(*at)->next;
	*at = i;
	return true;
}

struct netif *pg_netif(pg_device d)
{
	for (struct pg_iface *i = pg_ifaces; i; i = i->next)
		if (i->device == d)
			return &i->netif;
	return NULL;
}
