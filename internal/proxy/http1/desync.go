package http1

// Tier is how far a request is from what every parser reads the same way. It
// begins as Compliant and only rises.
type Tier uint8

// The tiers of desync mitigation (ALB user guide, "Desync mitigation mode").
const (
	Compliant  Tier = iota
	Acceptable      // against the letter of RFC 9112, and harmless
	Ambiguous       // parsers could differ about it
	Severe          // it is most likely an attack
)

// String returns the tier as access logs name it, "" for Compliant.
func (t Tier) String() string { return [...]string{"", "Acceptable", "Ambiguous", "Severe"}[t] }

// Reason is why a request isn't Compliant.
type Reason uint8

// The reasons, from the least tier to the highest.
const (
	NoReason Reason = iota

	NonCompliantHeader       // a byte that a name or a value can't have
	SpaceInURI               // a blank within the request target
	NonCompliantVersion      // HTTP/0.9, HTTP/1.2 to 1.9, or blanks around a version
	GetHeadZeroContentLength // GET or HEAD with Content-Length: 0
	NonCRLFLineTermination   // a line that ends with LF alone

	EmptyHeader                        // a field without a name
	AmbiguousURI                       // a byte that the request target can't have
	UndefinedContentLengthSemantics    // GET or HEAD with a body, or a length in HTTP/0.9
	UndefinedTransferEncodingSemantics // GET or HEAD with Transfer-Encoding, or one before HTTP/1.1
	DuplicateContentLength             // the same length more than once
	BothTEAndCLPresent                 // a length and Transfer-Encoding
	SuspiciousHeader                   // a name that reads like Transfer-Encoding or Content-Length
	MultilineHeader                    // a folded line
	PartialHeaderLine                  // the last line has no end
	MissingLastEmptyLine               // no empty line after the fields
	MissingHeaderColon                 // a line that is no field
	MissingURI                         // no request target

	BadHeader                       // NUL or CR in a field
	BadURI                          // NUL or CR in the request target
	BadMethod                       // a byte that a method can't have
	BadVersion                      // no HTTP/1.x
	MultipleContentLength           // lengths that differ
	BadContentLength                // no number, or too large a one
	MultipleTransferEncodingChunked // chunked twice in a row
	BadTransferEncoding             // a coding that isn't registered
	reasonCount
)

var reasonNames = [reasonCount]string{
	NonCompliantHeader: "NonCompliantHeader", SpaceInURI: "SpaceInUri", NonCompliantVersion: "NonCompliantVersion",
	GetHeadZeroContentLength: "GetHeadZeroContentLength", NonCRLFLineTermination: "NonCrLfLineTermination",
	EmptyHeader: "EmptyHeader", AmbiguousURI: "AmbiguousUri", UndefinedContentLengthSemantics: "UndefinedContentLengthSemantics",
	UndefinedTransferEncodingSemantics: "UndefinedTransferEncodingSemantics", DuplicateContentLength: "DuplicateContentLength",
	BothTEAndCLPresent: "BothTeClPresent", SuspiciousHeader: "SuspiciousHeader", MultilineHeader: "MultilineHeader",
	PartialHeaderLine: "PartialHeaderLine", MissingLastEmptyLine: "MissingLastEmptyLine", MissingHeaderColon: "MissingHeaderColon", MissingURI: "MissingUri",
	BadHeader: "BadHeader", BadURI: "BadUri", BadMethod: "BadMethod", BadVersion: "BadVersion", MultipleContentLength: "MultipleContentLength",
	BadContentLength: "BadContentLength", MultipleTransferEncodingChunked: "MultipleTransferEncodingChunked", BadTransferEncoding: "BadTransferEncoding",
}

// String returns the reason as access logs name it, "" for none.
func (r Reason) String() string { return reasonNames[r] }

func (r Reason) tier() Tier {
	switch {
	case r >= BadHeader:
		return Severe
	case r >= EmptyHeader:
		return Ambiguous
	case r > NoReason:
		return Acceptable
	}
	return Compliant
}

// Verdict is what a request is found to be: the highest tier, and the first reason
// for it. The zero value is of a compliant one.
type Verdict struct {
	Tier   Tier
	Reason Reason
}

func (v *Verdict) raise(r Reason) {
	if t := r.tier(); t > v.Tier {
		*v = Verdict{t, r}
	}
}

// Mode is what is done about requests that aren't compliant (ELBv2 attribute
// routing.http.desync_mitigation_mode).
type Mode uint8

// The modes. Whatever the mode, a request goes on in one form that no two parsers
// read differently; one that has no such form is refused in every mode, where the
// service forwards it in Monitor.
const (
	Defensive Mode = iota // Severe is refused; connections end after Ambiguous
	Monitor               // nothing is refused
	Strictest             // all that isn't compliant is refused
)

func (m Mode) refuses(t Tier) bool {
	switch m {
	case Strictest:
		return t > Compliant
	case Defensive:
		return t >= Severe
	case Monitor:
	}
	return false
}

// Policy is how a listener's requests are read.
type Policy struct {
	Mode Mode

	// DropInvalid leaves out fields whose names have anything but letters, digits
	// and hyphens (ELBv2 attribute routing.http.drop_invalid_header_fields.enabled).
	DropInvalid bool
}

// refusals are those for what a mode refuses, by reason.
var refusals [reasonCount]Refusal

func init() {
	for r := range refusals {
		refusals[r] = Refusal{Status: 400, Reason: "desync mitigation: " + reasonNames[r]}
	}
}

// Similarity of a name with one that frames a message.
func suspicious(name []byte) bool {
	return len(name) >= len("contentlength") && (similar(name, "transfer-encoding") || similar(name, "content-length"))
}

// similar says whether a name that isn't the reference reads like it to a parser
// that passes over what isn't a letter or a digit: around the name and at its
// hyphen, and blanks and control characters anywhere. Letters are compared without
// case, also those of Unicode that become an s or an i in upper case.
func similar(name []byte, reference string) bool {
	i := 0
	for i < len(name) && !letterAt(name, i) {
		i++
	}
	for n := 0; n < len(reference); n++ {
		c := reference[n]
		if c == '-' {
			for i < len(name) && !letterAt(name, i) {
				i++
			}
			continue
		}
		for i < len(name) && name[i] <= ' ' {
			i++
		}
		switch {
		case i == len(name):
			return false
		case lowerOf[name[i]] == c:
			i++
		case i+1 < len(name) && (c == 's' && name[i] == 0xc5 && name[i+1] == 0xbf || c == 'i' && name[i] == 0xc4 && name[i+1] == 0xb1):
			i += 2
		default:
			return false
		}
	}
	for i < len(name) && !letterAt(name, i) {
		i++
	}
	return i == len(name) && !is(name, reference)
}

// letterAt says whether a letter or digit begins at the place, in the sense of
// similar.
func letterAt(name []byte, i int) bool {
	return alphanumeric[name[i]] || i+1 < len(name) && (name[i] == 0xc5 && name[i+1] == 0xbf || name[i] == 0xc4 && name[i+1] == 0xb1)
}
