package wire_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/wire"
)

// botocore, which the AWS CLI and many tools read replies with, finds every
// member of every reply under the name that its own model has.
func TestBotocoreReadsEveryReplyWhole(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import botocore").CombinedOutput(); err != nil {
		t.Skipf("python3 has no botocore to read replies with: %v %s", err, out)
	}
	for _, s := range slices.Concat(allShapes, jsonShapes) {
		t.Run(s.pkg, func(t *testing.T) {
			type reply struct {
				Action string `json:"action"`
				Body   string `json:"body"`
			}
			asked := struct {
				Service string  `json:"service"` // botocore names services as our packages are
				Version string  `json:"version"`
				Replies []reply `json:"replies"`
			}{Service: s.pkg, Version: s.spec.Version}
			for _, op := range s.operations {
				out := reflect.New(reflect.TypeOf(op[1]))
				fill(out.Elem(), "", map[reflect.Type]bool{})
				asked.Replies = append(asked.Replies, reply{actionOf(op), string(wire.EncodeReply(s.spec, actionOf(op), "id", out.Interface()))})
			}
			in, err := json.Marshal(asked)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("python3", "testdata/botocore_read.py")
			var stderr bytes.Buffer
			cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
			raw, err := cmd.Output()
			if err != nil {
				t.Fatalf("botocore: %v\n%s", err, stderr.Bytes())
			}
			var got struct {
				Missed  []string `json:"missed"`
				Members int      `json:"members"`
			}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			for _, m := range got.Missed {
				t.Error(m)
			}
			t.Logf("%d members read in %d replies", got.Members, len(asked.Replies))
			if got.Members == 0 {
				t.Error("nothing was read")
			}
		})
	}
}

// fill sets all members within v, strings to name, lists to two items; a shape
// within itself only once.
func fill(v reflect.Value, name string, above map[reflect.Type]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if above[v.Type().Elem()] {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, above)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 22, 6, 5, 0, 120e6, time.UTC)))
			return
		}
		above[v.Type()] = true
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name, above)
		}
		delete(above, v.Type())
	case reflect.Slice:
		if above[v.Type().Elem()] {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), name, above)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
	case reflect.String:
		if e, ok := v.Interface().(interface{ Values() []string }); ok {
			name = e.Values()[0]
		}
		v.SetString(name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	}
}
