# A pool that is managed in one region and drawn from in another. The server
# needs a second region, local-2.
. "$(dirname "$0")/steps.sh"
HOME_REGION=$(aws configure get region)
AWAY=local-2

say "An IPAM at home in $HOME_REGION that operates in $AWAY, too"
IPAM=$(ec2 create-ipam --operating-regions RegionName="$AWAY" --query Ipam.IpamId)
want 'its regions' "$HOME_REGION $AWAY" "$(ec2 describe-ipams --ipam-ids "$IPAM" --query 'sort(Ipams[0].OperatingRegions[].RegionName)' | tr '\t' ' ')"
SCOPE=$(ec2 describe-ipams --ipam-ids "$IPAM" --query 'Ipams[0].PrivateDefaultScopeId')

say 'A locale must be one of them'
refused InvalidParameterValue ec2 create-ipam-pool --ipam-scope-id "$SCOPE" --address-family ipv4 --locale nowhere-1

say "A pool for $AWAY, filled at home"
TOP=$(pool "$SCOPE")
cidr "$TOP" --cidr 10.0.0.0/8
FAR=$(pool "$SCOPE" --source-ipam-pool-id "$TOP" --locale "$AWAY")
cidr "$FAR" --netmask-length 16

say "It is drawn from in $AWAY, and nowhere else"
refused InvalidParameterValue ec2 allocate-ipam-pool-cidr --ipam-pool-id "$FAR" --netmask-length 24
ALLOCATION=$(ec2 allocate-ipam-pool-cidr --region "$AWAY" --ipam-pool-id "$FAR" --netmask-length 24 \
  --query IpamPoolAllocation.IpamPoolAllocationId)
want 'allocations there' 10.0.0.0/24 "$(ec2 get-ipam-pool-allocations --region "$AWAY" --ipam-pool-id "$FAR" --query 'IpamPoolAllocations[].Cidr')"

fits

say 'Away with it'
ec2 release-ipam-pool-allocation --region "$AWAY" --ipam-pool-id "$FAR" --cidr 10.0.0.0/24 --ipam-pool-allocation-id "$ALLOCATION" >/dev/null
empty "$FAR" "$TOP"
ec2 delete-ipam --ipam-id "$IPAM" >/dev/null
fits
