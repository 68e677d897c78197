package logship

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"path"
	"strings"
	"time"
)

// Kind is one of the logs of a load balancer.
type Kind string

// The logs.
const (
	Access      Kind = "access"
	Connection  Kind = "connection"
	HealthCheck Kind = "health-check"
)

// Destination is where the lines of one log of one node go. It is comparable.
type Destination struct {
	Kind           Kind
	Bucket, Prefix string
	Account        string
	Region         string
	LoadBalancer   string // "app/NAME/ID"
	Node           netip.Addr
}

// filePrefixes tell the files of the logs apart.
var filePrefixes = map[Kind]string{Access: "", Connection: "conn_log_", HealthCheck: "health_check_log_"}

// testFiles are the objects that show that a bucket takes a log.
var testFiles = map[Kind]string{Access: "ELBAccessLogTestFile", Connection: "ELBConnectionLogTestFile", HealthCheck: "ELBHealthCheckLogTestFile"}

// TestKey returns the key of the object that is written when a log is turned on.
func (d *Destination) TestKey() string {
	return path.Join(d.Prefix, "AWSLogs", d.Account, testFiles[d.Kind])
}

// key returns the key of the object with the lines up to end.
func (d *Destination) key(end time.Time, random string) string {
	end = end.UTC()
	file := strings.Join([]string{
		filePrefixes[d.Kind] + d.Account, "elasticloadbalancing", d.Region, strings.ReplaceAll(d.LoadBalancer, "/", "."),
		end.Format("20060102T1504Z"), d.Node.String(), random,
	}, "_") + ".log.gz"
	return path.Join(d.Prefix, "AWSLogs", d.Account, "elasticloadbalancing", d.Region, end.Format("2006/01/02"), file)
}

// dir returns the name of the destination's directory in the spool.
func (d *Destination) dir() string {
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // it has nothing that can't be written
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// random returns what tells two files of one interval apart.
func random() string { return strings.ToLower(rand.Text()[:8]) }
