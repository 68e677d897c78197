# A prefix of one's own: proof by a TXT record that it is ours, then addresses
# from it. The server asks a resolver for the record:
#
#     byoip: {verification: [dns], resolver: "127.0.0.1:5354"}
#
# PUBLISH is a command that makes a TXT record in the reverse zone; it is called
# with the record's name and text. PREFIX is the prefix, a /24 of yours.
. "$(dirname "$0")/steps.sh"
REGION=$(aws configure get region)
: "${PUBLISH:?a command that publishes a TXT record: NAME TEXT}"
PREFIX=${PREFIX:-198.18.40.0/24}
IFS=./ read -r a b c _ <<<"$PREFIX"

say "An IPAM, and a pool for what is brought"
IPAM=$(ec2 create-ipam --operating-regions RegionName="$REGION" --query Ipam.IpamId)
SCOPE=$(ec2 describe-ipams --ipam-ids "$IPAM" --query 'Ipams[0].PublicDefaultScopeId')
TOP=$(pool "$SCOPE" --description 'all that is ours')

say 'A token: a name, and a text that only we are told'
TOKEN=$(ec2 create-ipam-external-resource-verification-token --ipam-id "$IPAM" \
  --query IpamExternalResourceVerificationToken.IpamExternalResourceVerificationTokenId)
read -r NAME TEXT < <(ec2 describe-ipam-external-resource-verification-tokens \
  --ipam-external-resource-verification-token-ids "$TOKEN" \
  --query 'IpamExternalResourceVerificationTokens[0].[TokenName,TokenValue]')

say 'Without the record, the prefix is not provisioned'
provision() {
  ec2 provision-ipam-pool-cidr --ipam-pool-id "$TOP" --cidr "$PREFIX" --verification-method dns-token \
    --ipam-external-resource-verification-token-id "$TOKEN" --query IpamPoolCidr.IpamPoolCidrId
}
state() { ec2 get-ipam-pool-cidrs --ipam-pool-id "$TOP" --filters "Name=ipam-pool-cidr-id,Values=$1" --query 'IpamPoolCidrs[].State'; }
eventually failed-provision state "$(provision)"

say 'With it, it is'
$PUBLISH "$NAME.$c.$b.$a.in-addr.arpa" "$TEXT"
eventually provisioned state "$(provision)"

say "A pool below it for $REGION, which may be advertised"
POOL=$(pool "$SCOPE" --source-ipam-pool-id "$TOP" --locale "$REGION" --aws-service ec2)
cidr "$POOL" --netmask-length 24
ec2 advertise-byoip-cidr --cidr "$PREFIX" >/dev/null
eventually advertised ec2 describe-byoip-cidrs --max-results 10 --query "ByoipCidrs[?Cidr=='$PREFIX'].State"

say 'An address of it'
ADDRESS=$(ec2 allocate-address --ipam-pool-id "$POOL" --query AllocationId)
want 'it is' "$a.$b.$c.0" "$(ec2 describe-addresses --allocation-ids "$ADDRESS" --query 'Addresses[0].PublicIp')"

fits

say 'Away with it'
ec2 release-address --allocation-id "$ADDRESS"
ec2 withdraw-byoip-cidr --cidr "$PREFIX" >/dev/null
empty "$POOL" "$TOP"
ec2 delete-ipam-external-resource-verification-token --ipam-external-resource-verification-token-id "$TOKEN" >/dev/null
ec2 delete-ipam --ipam-id "$IPAM" >/dev/null
fits
