# One prefix for everything: a top-level pool, a pool for the region, a pool for
# each environment. Only the lowest are drawn from.
. "$(dirname "$0")/steps.sh"
REGION=$(aws configure get region)

say 'An IPAM, whose private scope holds the plan'
IPAM=$(ec2 create-ipam --description 'the plan' --operating-regions RegionName="$REGION" --query Ipam.IpamId)
SCOPE=$(ec2 describe-ipams --ipam-ids "$IPAM" --query 'Ipams[0].PrivateDefaultScopeId')

say 'All of 10.0.0.0/8, without a locale: it only feeds other pools'
TOP=$(pool "$SCOPE" --description all)
cidr "$TOP" --cidr 10.0.0.0/8

say "A /12 of it for $REGION: the lowest that is free"
REGIONAL=$(pool "$SCOPE" --source-ipam-pool-id "$TOP" --locale "$REGION" --description "$REGION")
cidr "$REGIONAL" --netmask-length 12
want 'the region has' 10.0.0.0/12 "$(cidrs "$REGIONAL")"

say 'A /14 for production, with rules, and a /16 for development'
PROD=$(pool "$SCOPE" --source-ipam-pool-id "$REGIONAL" --description production --allocation-default-netmask-length 20 \
  --allocation-min-netmask-length 16 --allocation-max-netmask-length 24)
cidr "$PROD" --netmask-length 14
DEV=$(pool "$SCOPE" --source-ipam-pool-id "$REGIONAL" --description development)
cidr "$DEV" --netmask-length 16
want 'production has' 10.0.0.0/14 "$(cidrs "$PROD")"
want 'development has' 10.4.0.0/16 "$(cidrs "$DEV")"
want 'their locale' "$REGION" "$(ec2 describe-ipam-pools --ipam-pool-ids "$DEV" --query 'IpamPools[0].Locale')"
want 'their depth' 3 "$(ec2 describe-ipam-pools --ipam-pool-ids "$DEV" --query 'IpamPools[0].PoolDepth')"

say 'What comes next, without taking it; then taking it, by the default length'
NEXT=$(ec2 allocate-ipam-pool-cidr --ipam-pool-id "$PROD" --preview-next-cidr --query IpamPoolAllocation.Cidr)
want 'next' 10.0.0.0/20 "$NEXT"
RACK=$(ec2 allocate-ipam-pool-cidr --ipam-pool-id "$PROD" --description 'rack 1' --query IpamPoolAllocation.IpamPoolAllocationId)
want 'the next after' 10.0.16.0/20 "$(ec2 allocate-ipam-pool-cidr --ipam-pool-id "$PROD" --preview-next-cidr --query IpamPoolAllocation.Cidr)"

say 'What is in use stays'
refused DependencyViolation ec2 delete-ipam-pool --ipam-pool-id "$REGIONAL"
ec2 deprovision-ipam-pool-cidr --ipam-pool-id "$PROD" --cidr 10.0.0.0/14 >/dev/null
eventually failed-deprovision ec2 get-ipam-pool-cidrs --ipam-pool-id "$PROD" --query 'IpamPoolCidrs[].State'

say 'A block that overlaps another pool of the scope is not to be had'
OTHER=$(pool "$SCOPE" --description another)
ec2 provision-ipam-pool-cidr --ipam-pool-id "$OTHER" --cidr 10.200.0.0/16 >/dev/null
eventually $'failed-provision\tcidr-not-available' ec2 get-ipam-pool-cidrs --ipam-pool-id "$OTHER" \
  --query 'IpamPoolCidrs[].[State,FailureReason.Code]'

fits

say 'Away with it'
ec2 release-ipam-pool-allocation --ipam-pool-id "$PROD" --cidr 10.0.0.0/20 --ipam-pool-allocation-id "$RACK" >/dev/null
ec2 deprovision-ipam-pool-cidr --ipam-pool-id "$PROD" --cidr 10.0.0.0/14 >/dev/null
empty "$OTHER" "$PROD" "$DEV" "$REGIONAL" "$TOP"
ec2 delete-ipam --ipam-id "$IPAM" >/dev/null
fits
