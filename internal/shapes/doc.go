// Package shapes holds, in a folder per service, the request and response shapes
// of the AWS operations that Fairlead serves. They are read out of the pinned
// aws-sdk-go-v2 modules' source by gen: exact member names, names on the wire,
// lists, enums, required members; no documentation text, and nothing of the SDK
// is linked.
//
// A member's tag says how the wire room reads and writes it: `in` is its name in
// a request, `out` its name in a reply; one that lacks either is not in that
// direction. `required:"true"` marks members that a request must have.
// What the model says besides of a value's length, range or form isn't in the
// SDK's source. A type that has such members has a method Limits, written by hand
// in the service's limits.go: by the member's name the further tags min, max and
// pattern.
//
// To serve another operation, add it to gen/operations.go and run go generate.
package shapes

//go:generate go run ./gen
