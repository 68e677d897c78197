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

	"github.com/fairlead/fairlead/internal/wire"
)

// The SDK modules ship what their clients send with every member set. Reading
// that into a shape and writing it again must give the same form: so no name, no
// list form and no member is missing.
func TestRecordedSDKRequestsAreReadWhole(t *testing.T) {
	for _, s := range allShapes {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+s.module).Output()
		if err != nil {
			t.Fatalf("find the SDK module %s: %v", s.module, err)
		}
		dir := filepath.Join(strings.TrimSpace(string(out)), "request_snapshot")
		for _, op := range s.operations {
			action := actionOf(op)
			t.Run(s.pkg+"/"+action, func(t *testing.T) {
				raw, err := os.ReadFile(filepath.Join(dir, action+".request.snap"))
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
				in := reflect.New(reflect.TypeOf(op[0])).Interface()
				// The values are fillers, which break limits: what of them was read shows below.
				if err := wire.DecodeForm(s.spec.Protocol, form, in); err != nil && !strings.Contains(err.Error(), " failed to satisfy constraint: ") {
					t.Fatalf("decode: %v", err)
				}
				if diff := cmp.Diff(form, wire.EncodeForm(s.spec.Protocol, in)); diff != "" {
					t.Errorf("read and written again (-sent +written):\n%s", diff)
				}
			})
		}
	}
}
