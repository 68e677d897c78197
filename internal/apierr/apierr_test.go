package apierr_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/internal/apierr"
)

func TestARefusalKeepsItsCodeThroughWrapping(t *testing.T) {
	shared := apierr.New("VpcNotFound", "The vpc ID '%s' does not exist", "vpc-1")
	forbidden := shared.WithStatus(http.StatusForbidden)
	if shared.Status != http.StatusBadRequest || forbidden.Status != http.StatusForbidden {
		t.Errorf("got statuses %d and %d, want 400 and 403: WithStatus must not change its receiver", shared.Status, forbidden.Status)
	}
	got, ok := errors.AsType[*apierr.Error](fmt.Errorf("describe: %w", forbidden))
	if !ok || got.Code != "VpcNotFound" || got.Message != "The vpc ID 'vpc-1' does not exist" || got.Error() != "VpcNotFound: The vpc ID 'vpc-1' does not exist" {
		t.Errorf("got %+v, %v", got, ok)
	}
}
