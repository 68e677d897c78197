package route

import (
	"fmt"
	"regexp"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// rewrite is a snapshot.Transform, compiled.
type rewrite struct {
	regex    *regexp.Regexp
	segments []segment // of the replacement
}

// segment is literal text, or what a group has matched.
type segment struct {
	text  string
	group int // 0: text
}

func compileRewrite(t snapshot.Transform) (*rewrite, error) {
	r, err := regexp.Compile(t.Regex)
	if err != nil {
		return nil, fmt.Errorf("transform %s: %w", t.Type, err)
	}
	return &rewrite{regex: r, segments: replacement(t.Replace, r.NumSubexp())}, nil
}

// replacement splits a replacement at the groups that it names: "$" and as many
// digits as make the number of a group.
func replacement(s string, groups int) []segment {
	var segments []segment
	text := ""
	for i := 0; i < len(s); {
		group, end := 0, i+1
		for s[i] == '$' && end < len(s) && '0' <= s[end] && s[end] <= '9' {
			next := group*10 + int(s[end]-'0')
			if next > groups || next == 0 {
				break
			}
			group = next
			end++
		}
		if group == 0 {
			text += s[i : i+1]
			i++
			continue
		}
		if text != "" {
			segments = append(segments, segment{text: text})
		}
		segments, text = append(segments, segment{group: group}), ""
		i = end
	}
	if text != "" {
		segments = append(segments, segment{text: text})
	}
	return segments
}

// Bounds of what a transform makes of one request, which its client chooses the
// length of: replacements, and bytes, of which no valid result has as many.
const (
	maxReplaced  = 1000
	maxRewritten = 16 << 10
)

// apply returns the text with each match replaced, nil if there is none. A result
// beyond the bounds is cut, to one that is too long to be valid.
func (r *rewrite) apply(text []byte) []byte {
	matches := r.regex.FindAllSubmatchIndex(text, maxReplaced+1)
	if matches == nil {
		return nil
	}
	if len(matches) > maxReplaced {
		return make([]byte, maxRewritten+1)
	}
	out := []byte{}
	from := 0
	for _, m := range matches {
		out = append(out, text[from:m[0]]...)
		for _, p := range r.segments {
			if p.group == 0 {
				out = append(out, p.text...)
			} else if m[2*p.group] >= 0 {
				out = append(out, text[m[2*p.group]:m[2*p.group+1]]...)
			}
		}
		if from = m[1]; len(out) > maxRewritten {
			return out
		}
	}
	return append(out, text[from:]...)
}

// Rewrites says whether the rule has transforms.
func (r *Rule) Rewrites() bool { return r.host != nil || r.url != nil }

// Rewrite returns the host, and the path and query, that a target is asked for,
// nil where they stay as they were sent. ok is false where a transform has made
// something that isn't one.
func (r *Rule) Rewrite(buf []byte, req *http1.Request) (host, target []byte, ok bool) {
	if r.host != nil {
		if host = r.host.apply(lowered(req.HostName(buf))); host != nil && !http1.ValidHost(host) {
			return nil, nil, false
		}
	}
	if r.url != nil {
		if target = r.url.apply(req.AppendTarget(nil, buf)); target != nil && !http1.ValidTarget(target) {
			return nil, nil, false
		}
	}
	return host, target, true
}

func lowered(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = lower(c)
	}
	return out
}
