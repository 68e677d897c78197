# A VPC out of a pool, and a pool of the VPC's own that its subnets come out of.
. "$(dirname "$0")/steps.sh"
REGION=$(aws configure get region)
ACCOUNT=$(aws sts get-caller-identity --output text --query Account)

say 'An IPAM and a pool that VPCs are drawn from'
IPAM=$(ec2 create-ipam --operating-regions RegionName="$REGION" --query Ipam.IpamId)
SCOPE=$(ec2 describe-ipams --ipam-ids "$IPAM" --query 'Ipams[0].PrivateDefaultScopeId')
POOL=$(pool "$SCOPE" --locale "$REGION" --description networks)
cidr "$POOL" --cidr 10.80.0.0/14

say 'A VPC of it, without a word about addresses but the length'
VPC=$(ec2 create-vpc --ipv4-ipam-pool-id "$POOL" --ipv4-netmask-length 20 --query Vpc.VpcId)
want 'its CIDR' 10.80.0.0/20 "$(ec2 describe-vpcs --vpc-ids "$VPC" --query 'Vpcs[0].CidrBlock')"
want 'in the pool it is' "10.80.0.0/20 $VPC" "$(ec2 get-ipam-pool-allocations --ipam-pool-id "$POOL" \
  --query 'IpamPoolAllocations[].[Cidr,ResourceId]' | tr '\t' ' ')"

say 'A planning pool: its source is the VPC'
PLAN=$(pool "$SCOPE" --source-ipam-pool-id "$POOL" --locale "$REGION" --description "subnets of $VPC" \
  --source-resource "ResourceId=$VPC,ResourceType=vpc,ResourceRegion=$REGION,ResourceOwner=$ACCOUNT" \
  --allocation-default-netmask-length 24)
cidr "$PLAN" --cidr 10.80.0.0/20

say 'Subnets of it: the lowest free, by the length or the default one'
A=$(ec2 create-subnet --vpc-id "$VPC" --ipv4-ipam-pool-id "$PLAN" --ipv4-netmask-length 26 --query Subnet.SubnetId)
B=$(ec2 create-subnet --vpc-id "$VPC" --ipv4-ipam-pool-id "$PLAN" --ipv4-netmask-length 24 --query Subnet.SubnetId)
want 'they are' '10.80.0.0/26 10.80.1.0/24' "$(ec2 describe-subnets --subnet-ids "$A" "$B" --query 'sort(Subnets[].CidrBlock)' | tr '\t' ' ')"
want 'five addresses of each are reserved' 59 "$(ec2 describe-subnets --subnet-ids "$A" --query 'Subnets[0].AvailableIpAddressCount')"

say 'A part of the plan kept free of subnets'
KEPT=$(ec2 allocate-ipam-pool-cidr --ipam-pool-id "$PLAN" --cidr 10.80.2.0/23 --description 'for later' \
  --query IpamPoolAllocation.IpamPoolAllocationId)
C=$(ec2 create-subnet --vpc-id "$VPC" --ipv4-ipam-pool-id "$PLAN" --ipv4-netmask-length 23 --query Subnet.SubnetId)
want 'the next subnet passes over it' 10.80.4.0/23 "$(ec2 describe-subnets --subnet-ids "$C" --query 'Subnets[0].CidrBlock')"

say 'What lives in the plan holds it'
refused DependencyViolation ec2 delete-vpc --vpc-id "$VPC"

fits

say 'Away with it'
for subnet in "$A" "$B" "$C"; do
  ec2 delete-subnet --subnet-id "$subnet"
done
ec2 release-ipam-pool-allocation --ipam-pool-id "$PLAN" --cidr 10.80.2.0/23 --ipam-pool-allocation-id "$KEPT" >/dev/null
empty "$PLAN"
ec2 delete-vpc --vpc-id "$VPC"
empty "$POOL"
ec2 delete-ipam --ipam-id "$IPAM" >/dev/null
fits
