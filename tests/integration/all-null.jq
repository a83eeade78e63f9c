# The same composition with every slot on null, from `polder show -f FILE --json`; what comes
# out is a manifest again, since JSON is YAML. Exempt: the root, which must be something,
# and entropy, which cannot be taken away from a Linux program.
{environments: [.environments[] | {
  name, run, chdir, after,
  vars: (.vars | from_entries),
  exposes: (.exposes | map({key: .name, value: {(.interface): .path}}) | from_entries),
  slots: (.slots | map(select(.slot != "/" and .interface != "entropy"))
    | map({key: ((if .interface == "socket" then "socket:" else "" end) + .slot), value: null})
    | from_entries)}]}
