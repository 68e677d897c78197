package wire_test

import (
	"encoding/json"
	"os/exec"
	"reflect"
	"strconv"
	"testing"
)

// The limits of ELBv2's requests are those of its model, no member left out.
func TestLimitsAreTheModels(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import botocore").CombinedOutput(); err != nil {
		t.Skipf("python3 has no botocore to compare with: %v %s", err, out)
	}
	raw, err := exec.Command("python3", "testdata/botocore_limits.py").Output()
	if err != nil {
		t.Fatal(err)
	}
	type limit struct {
		Min     int    `json:"min"`
		Max     int    `json:"max"`
		Pattern string `json:"pattern"`
	}
	var model map[string]map[string]limit
	if err := json.Unmarshal(raw, &model); err != nil {
		t.Fatal(err)
	}
	delete(model["CreateLoadBalancerInput"], "CustomerOwnedIpv4Pool") // no value of it is taken
	delete(model["TargetDescription"], "QuicServerId")                // of network load balancers

	shapes := map[string]reflect.Type{}
	var walk func(reflect.Type)
	walk = func(s reflect.Type) {
		for s.Kind() == reflect.Pointer || s.Kind() == reflect.Slice {
			s = s.Elem()
		}
		if s.Kind() != reflect.Struct || shapes[s.Name()] != nil {
			return
		}
		shapes[s.Name()] = s
		for i := range s.NumField() {
			walk(s.Field(i).Type)
		}
	}
	for _, s := range allShapes {
		if s.pkg == "elbv2" {
			for _, op := range s.operations {
				walk(reflect.TypeOf(op[0]))
			}
		}
	}
	if len(shapes) < 50 {
		t.Fatalf("only %d shapes were found: the test doesn't see them", len(shapes))
	}
	checked := 0
	for name, shape := range shapes {
		var ours map[string]reflect.StructTag
		if s, ok := reflect.Zero(shape).Interface().(interface {
			Limits() map[string]reflect.StructTag
		}); ok {
			ours = s.Limits()
		}
		for member, want := range model[name] {
			tag := ours[member]
			got := limit{Pattern: tag.Get("pattern")}
			got.Min, _ = strconv.Atoi(tag.Get("min"))
			got.Max, _ = strconv.Atoi(tag.Get("max"))
			if checked++; got != want {
				t.Errorf("%s.%s: got %+v, want the model's %+v", name, member, got, want)
			}
		}
	}
	t.Logf("%d members of %d shapes have limits", checked, len(shapes))
}
