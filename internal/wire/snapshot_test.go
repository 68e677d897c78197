package wire_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

// inputs are the shapes whose recorded requests are read and written again.
var inputs = map[string][]any{
	"ec2": {
		ec2.AllocateIpamPoolCidrInput{}, ec2.AuthorizeSecurityGroupEgressInput{}, ec2.AuthorizeSecurityGroupIngressInput{},
		ec2.CreateIpamInput{}, ec2.CreateIpamPoolInput{}, ec2.CreateRouteInput{}, ec2.CreateRouteTableInput{},
		ec2.CreateSecurityGroupInput{}, ec2.CreateSubnetInput{}, ec2.CreateTagsInput{}, ec2.CreateVpcInput{}, ec2.DeleteIpamInput{},
		ec2.DeleteTagsInput{}, ec2.DescribeAddressesInput{}, ec2.DescribeIpamPoolsInput{}, ec2.DescribeNetworkInterfacesInput{},
		ec2.DescribeSecurityGroupsInput{}, ec2.DescribeSubnetsInput{}, ec2.DescribeVpcsInput{}, ec2.GetIpamPoolAllocationsInput{},
		ec2.ModifySubnetAttributeInput{}, ec2.ModifyVpcAttributeInput{}, ec2.ProvisionIpamPoolCidrInput{}, ec2.ReleaseIpamPoolAllocationInput{},
	},
	"elasticloadbalancingv2": {
		elbv2.AddTagsInput{}, elbv2.CreateListenerInput{}, elbv2.CreateLoadBalancerInput{}, elbv2.CreateTargetGroupInput{},
		elbv2.DescribeLoadBalancersInput{}, elbv2.DescribeTargetHealthInput{}, elbv2.RegisterTargetsInput{},
	},
}

// The SDK modules ship what their clients send with every member set. Reading
// that into a shape and writing it again must give the same form: so no name, no
// list form and no member is missing.
func TestRecordedSDKRequestsAreReadWhole(t *testing.T) {
	for module, shapes := range inputs {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+module).Output()
		if err != nil {
			t.Fatalf("find the SDK module %s: %v", module, err)
		}
		protocol := wire.EC2Query
		if module != "ec2" {
			protocol = wire.Query
		}
		for _, shape := range shapes {
			action := strings.TrimSuffix(reflect.TypeOf(shape).Name(), "Input")
			t.Run(module+"/"+action, func(t *testing.T) {
				raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "request_snapshot", action+".request.snap"))
				if err != nil {
					t.Fatal(err)
				}
				_, body, _ := strings.Cut(string(raw), "\n\nAction=")
				form, err := url.ParseQuery("Action=" + body)
				if err != nil {
					t.Fatal(err)
				}
				form.Del("Action")
				form.Del("Version")
				in := reflect.New(reflect.TypeOf(shape)).Interface()
				if err := wire.DecodeForm(protocol, form, in); err != nil {
					t.Fatalf("decode: %v", err)
				}
				if diff := cmp.Diff(form, wire.EncodeForm(protocol, in)); diff != "" {
					t.Errorf("read and written again (-sent +written):\n%s", diff)
				}
			})
		}
	}
}
