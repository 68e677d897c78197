package acm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/store"
)

// codes gives each kind of the room's errors the service's code.
var codes = map[certs.Kind]string{
	certs.Invalid:     "ValidationException",
	certs.InProgress:  "RequestInProgressException",
	certs.NotFound:    "ResourceNotFoundException",
	certs.InUse:       "ResourceInUseException",
	certs.TooMany:     "LimitExceededException",
	certs.TooManyTags: "TooManyTagsException",
}

// refusal makes the room's errors the service's. Any other stays as it is, to be
// logged and answered as an internal error.
func refusal(err error) error {
	var e *certs.Error
	switch {
	case errors.As(err, &e):
		return apierr.New(codes[e.Kind], "%s", e.Message)
	case errors.Is(err, store.ErrTooLarge):
		return invalid("The certificate chain is too large to be kept. Leave out what clients have anyway, as the root.")
	case errors.Is(err, store.ErrConflict):
		return apierr.New("ConflictException", "Too many concurrent changes to the same resource. Try again later.")
	}
	return err
}

func invalid(format string, args ...any) error {
	return apierr.New("ValidationException", format, args...)
}

// constraint is what the service says of a value that breaks a rule of the model.
func constraint(value, path, rule string, args ...any) error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, path, fmt.Sprintf(rule, args...))
}

// arnPattern is the model's of an ARN of this service.
const arnPattern = `arn:[\w+=/,.@-]+:acm:[\w+=/,.@-]*:[0-9]+:[\w+=,.@-]+(/[\w+=,.@-]+)*`

var arnForm = regexp.MustCompile(`^` + arnPattern + `$`)

// checkARN refuses what is no ARN of a certificate at all. One that is may name
// nothing, or another account's: that is not found.
func checkARN(arn string) error {
	switch {
	case len(arn) < 20 || len(arn) > 2048 || !arnForm.MatchString(arn):
		return constraint(arn[:min(len(arn), 256)], "certificateArn", "Member must satisfy regular expression pattern: %s", arnPattern)
	case !strings.Contains(arn, ":certificate/"):
		return apierr.New("InvalidArnException", "The ARN %s is not one of a certificate.", arn)
	}
	return nil
}
