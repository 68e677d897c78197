# A contiguous block of public addresses out of the provider's block, and elastic
# IPs from it: what a partner's firewall can be told as one prefix.
. "$(dirname "$0")/steps.sh"
REGION=$(aws configure get region)

say 'An IPAM; its public scope, and a pool that the provider fills'
IPAM=$(ec2 create-ipam --operating-regions RegionName="$REGION" --query Ipam.IpamId)
SCOPE=$(ec2 describe-ipams --ipam-ids "$IPAM" --query 'Ipams[0].PublicDefaultScopeId')
POOL=$(pool "$SCOPE" --locale "$REGION" --aws-service ec2 --public-ip-source amazon --description 'partner firewall')

say 'A block is asked for by its length: which one, the provider decides'
refused InvalidParameterCombination ec2 provision-ipam-pool-cidr --ipam-pool-id "$POOL" --cidr 198.51.100.0/29
cidr "$POOL" --netmask-length 29
BLOCK=$(cidrs "$POOL")
want 'its length' 29 "${BLOCK#*/}"

say 'Elastic IPs come out of it, the lowest first'
NET=${BLOCK%/*}
FIRST=$(ec2 allocate-address --ipam-pool-id "$POOL" --query AllocationId)
want 'the first' "$NET" "$(ec2 describe-addresses --allocation-ids "$FIRST" --query 'Addresses[0].PublicIp')"
LAST=${NET%.*}.$((${NET##*.} + 7))
LAST_ID=$(ec2 allocate-address --ipam-pool-id "$POOL" --address "$LAST" --query AllocationId)
want 'one that was asked for' "$LAST" "$(ec2 describe-addresses --allocation-ids "$LAST_ID" --query 'Addresses[0].PublicIp')"
REST=
for _ in 1 2 3 4 5 6; do
  REST="$REST $(ec2 allocate-address --ipam-pool-id "$POOL" --query AllocationId)"
done
refused InsufficientAddressCapacity ec2 allocate-address --ipam-pool-id "$POOL"
want 'who has them' 8 "$(ec2 get-ipam-pool-allocations --ipam-pool-id "$POOL" --query 'length(IpamPoolAllocations[?ResourceType==`eip`])')"

say 'One on an interface'
VPC=$(ec2 create-vpc --cidr-block 10.77.0.0/16 --query Vpc.VpcId)
SUBNET=$(ec2 create-subnet --vpc-id "$VPC" --cidr-block 10.77.0.0/24 --query Subnet.SubnetId)
GATEWAY=$(ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
ec2 attach-internet-gateway --internet-gateway-id "$GATEWAY" --vpc-id "$VPC"
ENI=$(ec2 create-network-interface --subnet-id "$SUBNET" --query NetworkInterface.NetworkInterfaceId)
ASSOCIATION=$(ec2 associate-address --allocation-id "$FIRST" --network-interface-id "$ENI" --query AssociationId)
refused InvalidIPAddress.InUse ec2 release-address --allocation-id "$FIRST"
ec2 disassociate-address --association-id "$ASSOCIATION"

fits

say 'Away with it'
ec2 delete-network-interface --network-interface-id "$ENI"
ec2 detach-internet-gateway --internet-gateway-id "$GATEWAY" --vpc-id "$VPC"
ec2 delete-internet-gateway --internet-gateway-id "$GATEWAY"
ec2 delete-subnet --subnet-id "$SUBNET"
ec2 delete-vpc --vpc-id "$VPC"
for id in $FIRST $LAST_ID $REST; do
  ec2 release-address --allocation-id "$id"
done
empty "$POOL"
ec2 delete-ipam --ipam-id "$IPAM" >/dev/null
fits
