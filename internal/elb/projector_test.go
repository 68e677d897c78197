package elb_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

var update = flag.Bool("update", false, "rewrite golden files")

// The whole of what a host is told, so that a change of it is seen in a diff.
func TestAnAssignmentHasAllThatAHostNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-c", "subnet-a", "subnet-b"))
		web, api := group(t, w.svc, "web"), group(t, w.svc, "api-v2")
		open(t, w.svc, listener(b.ARN, 8080, []elb.Action{{Type: "fixed-response",
			FixedResponse: &elb.FixedResponse{StatusCode: 404, ContentType: "text/plain", Body: "nothing here"}}}))
		weighted := forward(web.ARN, api.ARN)
		weighted[0].Forward.TargetGroups[1].Weight = 99
		open(t, w.svc, listener(b.ARN, 80, weighted))
		err := w.svc.RegisterTargets(t.Context(), account, region, web.ARN, []elb.TargetDescription{
			{ID: "10.0.9.2", Zone: "all"}, {ID: "10.0.9.10"}, {ID: "10.0.9.2", Port: 8080, Zone: "local-1a"}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		golden(t, "assignment.json", w.newest())
	})
}

// golden compares an assignment with a file, the nodes named after their zones.
func golden(t *testing.T, file string, a *snapshot.Assignment) {
	t.Helper()
	named := *a
	named.Revision = 0
	encoded, err := named.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range a.Nodes {
		encoded = bytes.ReplaceAll(encoded, []byte(n.ID), []byte("node-"+n.Zone))
	}
	var tree map[string]any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(tree["Nodes"].([]any), func(a, b any) int { // their own IDs are random
		return strings.Compare(a.(map[string]any)["ID"].(string), b.(map[string]any)["ID"].(string))
	})
	got, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got), rewrite it with -update:\n%s", path, diff)
	}
}

// An assignment shares with the one before what hasn't changed, so that a host
// finds the rest at a glance.
func TestAnAssignmentSharesWhatHasNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b, web := w.create(shop("subnet-a", "subnet-b")), group(t, w.svc, "web")
		open(t, w.svc, listener(b.ARN, 80, forward(web.ARN)))
		synctest.Wait()
		before := w.newest()
		if err := w.svc.RegisterTargets(t.Context(), account, region, web.ARN, []elb.TargetDescription{{ID: "10.0.9.2", Zone: "all"}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		after := w.newest()
		if before == after || after.LoadBalancers[0] != before.LoadBalancers[0] || after.Nodes[0] != before.Nodes[0] || after.Nodes[1] != before.Nodes[1] {
			t.Errorf("%+v shares too little with %+v", after, before)
		}
		if changes, err := after.Since(before); err != nil || len(changes.TargetGroups) != 1 {
			t.Errorf("changes %+v, %v; want one target group", changes, err)
		}
	})
}
