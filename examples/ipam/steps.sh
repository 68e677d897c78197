# What the walks share: how they talk, check and wait. Source it.
set -euo pipefail
export AWS_PAGER=

say() { printf '\n== %s\n' "$*"; }

# want WHAT EXPECTED ACTUAL ends the walk if the two differ.
want() {
  if [ "$2" != "$3" ]; then
    printf '%s: got %q, want %q\n' "$1" "$3" "$2" >&2
    exit 1
  fi
  printf '   %s: %s\n' "$1" "$3"
}

# refused CODE COMMAND... ends the walk unless the command fails with the code.
refused() {
  local code=$1 out
  shift
  if out=$("$@" 2>&1); then
    printf 'not refused: %s\n' "$*" >&2
    exit 1
  fi
  case $out in
    *"($code)"*) printf '   refused: %s\n' "${out##*operation: }" ;;
    *) printf 'want %s, got: %s\n' "$code" "$out" >&2; exit 1 ;;
  esac
}

# eventually EXPECTED COMMAND... repeats a command until it prints what is expected.
eventually() {
  local expected=$1 got= n
  shift
  for n in $(seq 100); do
    got=$("$@" 2>&1) || true
    [ "$got" = "$expected" ] && return 0
    sleep 0.1
  done
  printf 'want %q, got %q from: %s\n' "$expected" "$got" "$*" >&2
  exit 1
}

ec2() { aws ec2 "$@" --output text; }

# pool SCOPE ARGS... makes an IPv4 pool and prints its id.
pool() {
  local scope=$1
  shift
  ec2 create-ipam-pool --ipam-scope-id "$scope" --address-family ipv4 --query IpamPool.IpamPoolId "$@"
}

# cidr POOL ARGS... provisions a CIDR and waits for it.
cidr() {
  local id
  id=$(ec2 provision-ipam-pool-cidr --ipam-pool-id "$@" --query IpamPoolCidr.IpamPoolCidrId)
  eventually provisioned ec2 get-ipam-pool-cidrs --ipam-pool-id "$1" \
    --filters "Name=ipam-pool-cidr-id,Values=$id" --query 'IpamPoolCidrs[].State'
}

# cidrs POOL prints its CIDRs.
cidrs() { ec2 get-ipam-pool-cidrs --ipam-pool-id "$1" --query 'sort(IpamPoolCidrs[?State==`provisioned`].Cidr)'; }

# fits ends the walk unless all records of addresses fit together.
fits() {
  say 'All records fit together'
  fairlead fsck
}

# empty POOL... deprovisions all CIDRs of the pools and deletes them, in order.
empty() {
  local p c
  for p in "$@"; do
    for c in $(cidrs "$p"); do
      ec2 deprovision-ipam-pool-cidr --ipam-pool-id "$p" --cidr "$c" >/dev/null
    done
    eventually '' cidrs "$p"
    ec2 delete-ipam-pool --ipam-pool-id "$p" >/dev/null
  done
}
