package arch_test

// allowed is the whole import graph: a package, by its path below internal/ or
// with cmd/ in front, and the packages of this module that it may import. What
// is allowed need not be there, and a package may have its row before it exists.
//
// The control plane points cmd → api → rooms → store, the data plane
// cmd → node → proxy, health, attach; both know snapshot. The rooms ipam, vpc
// and elb don't import each other: each declares what it needs, server joins.
var allowed = map[string][]string{
	// What everybody may stand on.
	"apierr":        {},
	"arn":           {},
	"failpoint":     {},
	"ids":           {},
	"ipam/forecast": {},
	"ipam/proof":    {},
	"ipam/space":    {},
	"snapshot":      {},

	// What is remembered.
	"store":           {"failpoint"},
	"store/etcd":      {"store", "failpoint"},
	"store/memstore":  {"store"},
	"store/storetest": {"store"},
	"event":           {"ids", "store"},
	"history":         {"store"},
	"idempotency":     {"store"},
	"tags":            {"store"},

	// What is decided.
	"account":   {"arn", "store"},
	"audit":     {},
	"certs":     {"arn", "idempotency", "store", "tags"},
	"discovery": {"history", "idempotency", "store", "tags"},
	"dns":       {"snapshot", "store"},
	"elb":       {"arn", "event", "failpoint", "idempotency", "ids", "snapshot", "store", "tags"},
	"fsck":      {"store"},
	"ipam":      {"arn", "event", "failpoint", "history", "idempotency", "ids", "ipam/space", "store", "tags"},
	"vpc":       {"arn", "failpoint", "idempotency", "ids", "store", "tags"},

	"certs/acme":          {"certs", "store"},
	"bucket":              {},
	"instance":            {"ids", "store", "tags"},
	"truststore":          {"arn", "ids", "snapshot", "store", "tags"},
	"prefixlist":          {"idempotency", "store", "tags"},
	"prefixlist/resolver": {"idempotency", "prefixlist", "store", "tags"},

	// The wire.
	"wire":            {"apierr", "arn"},
	"shapes":          {},
	"shapes/acm":      {},
	"shapes/ec2":      {},
	"shapes/elbv2":    {},
	"shapes/fairlead": {},
	"shapes/gen":      {},
	"shapes/sts":      {},
	"api/acm":         {"apierr", "arn", "certs", "ids", "shapes/acm", "store", "tags", "wire"},
	"api/ec2":         {"account", "apierr", "arn", "discovery", "history", "idempotency", "ids", "instance", "ipam", "prefixlist", "prefixlist/resolver", "shapes/ec2", "store", "tags", "vpc", "wire"},
	"api/elbv2":       {"apierr", "arn", "elb", "idempotency", "ids", "shapes/elbv2", "store", "tags", "truststore", "wire"},
	"api/fairlead":    {"apierr", "elb", "event", "ids", "instance", "ipam", "shapes/fairlead", "store", "tags", "wire"},
	"api/sts":         {"account", "apierr", "arn", "shapes/sts", "wire"},

	// What carries traffic.
	"accesslog":           {},
	"announce":            {},
	"attach":              {"snapshot"},
	"dnsserver":           {"snapshot"},
	"health":              {"proxy/http1", "proxy/http2", "snapshot", "targettls"},
	"logship":             {},
	"node":                {"accesslog", "attach", "health", "proxy", "proxy/outbound", "snapshot"},
	"proxy":               {"accesslog", "proxy/balance", "proxy/clientcert", "proxy/http1", "proxy/http2", "proxy/jwks", "proxy/jwt", "proxy/keyring", "proxy/meter", "proxy/oidc", "proxy/oidc/provider", "proxy/outbound", "proxy/route", "snapshot", "targettls"},
	"proxy/balance":       {"snapshot"},
	"proxy/clientcert":    {"snapshot"},
	"proxy/conformance":   {},
	"proxy/http1":         {},
	"proxy/http2":         {},
	"proxy/jwks":          {"proxy/jwt", "proxy/outbound"},
	"proxy/jwt":           {},
	"proxy/keyring":       {},
	"proxy/meter":         {},
	"proxy/oidc":          {"proxy/keyring"},
	"proxy/oidc/provider": {"proxy/oidc", "proxy/outbound"},
	"proxy/outbound":      {},
	"proxy/route":         {"proxy/http1", "snapshot"},
	"targettls":           {"snapshot"},

	// Where it is joined.
	"config": {},
	"status": {},
	"server": {
		"account", "announce", "api/acm", "api/ec2", "api/elbv2", "api/fairlead", "api/sts", "apierr", "arn", "attach", "audit", "bucket", "certs", "certs/acme", "config",
		"discovery", "dns", "dnsserver", "elb", "event", "failpoint", "fsck", "health", "history", "idempotency", "ids", "instance", "ipam", "ipam/forecast",
		"ipam/proof", "logship", "node", "prefixlist",
		"prefixlist/resolver", "proxy", "proxy/meter", "proxy/oidc", "proxy/outbound", "snapshot", "status", "store",
		"store/etcd", "tags", "truststore", "vpc", "wire",
	},
	"demo": { // a client of the public API, which it starts itself
		"api/ec2", "api/elbv2", "apierr", "config", "server", "shapes/ec2", "shapes/elbv2", "status", "wire",
	},
	"client":       {"wire"},
	"inventory":    {"api/ec2", "api/fairlead", "shapes/ec2", "shapes/fairlead", "wire"}, // another client of it
	"cmd/fairlead": {"api/fairlead", "apierr", "client", "failpoint", "inventory", "shapes/fairlead", "config", "demo", "server", "status", "wire"},

	// For tests alone.
	"arch":                {},
	"testkit/idp":         {},
	"testkit/issuer":      {},
	"testkit/pebble":      {},
	"testkit/tokens":      {},
	"testkit/wirefixture": {},
	"testkit": {
		"account", "apierr", "arn", "config", "ids", "server", "shapes/ec2", "shapes/elbv2", "shapes/sts",
		"snapshot", "status", "store", "store/etcd", "store/memstore", "wire",
	},
}

// testAids may be imported by any test, and by no other code but their own.
// Besides, a test may import what its package reaches, directly or not.
var testAids = []string{"failpoint", "store/etcd", "store/memstore", "store/storetest", "testkit", "testkit/idp", "testkit/issuer", "testkit/pebble", "testkit/tokens", "testkit/wirefixture"}

// allowedInTests adds what the tests of a package may import beyond that.
var allowedInTests = map[string][]string{
	"proxy/http2":       {"proxy/http1"}, // whose requests it makes
	"proxy/conformance": {"proxy", "proxy/http1", "snapshot"},
	"wire":              {"shapes/acm", "shapes/ec2", "shapes/elbv2", "shapes/sts"}, // the codec is held against real shapes
}

// A restriction says who may import a library that brings a border with it.
type restriction struct {
	path  string   // an import path, and what is below it
	only  []string // the packages that may; what is below them may too
	tests bool     // tests of other packages may as well
	why   string
}

// The longest path that matches an import decides.
var restrictions = []restriction{
	{path: "go.etcd.io", only: []string{"store/etcd"},
		why: "etcd's types stop at the store"},
	{path: "go.etcd.io/bbolt", only: []string{"node"},
		why: "the file of the last assignment is the node's alone"},
	{path: "github.com/miekg/dns", only: []string{"dns", "dnsserver", "ipam/proof", "testkit"}, tests: true,
		why: "packets are the DNS server's, and of who asks a resolver for a proof; tests may ask questions with it"},
	{path: "github.com/caddyserver/certmagic", only: []string{"certs/acme"},
		why: "ACME is spoken in one room"},
	{path: "github.com/mholt/acmez", only: []string{"certs/acme"},
		why: "ACME is spoken in one room"},
	{path: "github.com/letsencrypt/pebble", only: []string{"testkit/pebble"},
		why: "a certificate authority for tests has no place in the binary"},
	{path: "github.com/aws", only: []string{"testkit"}, tests: true,
		why: "the SDK's clients are our tests; the binary speaks the protocols by itself"},
	{path: "github.com/aws/aws-sdk-go-v2/service/ec2", tests: true,
		why: "compiling it takes minutes and gigabytes, so only the tests that need it import it themselves"},
	{path: "github.com/summerwind/h2spec", tests: true,
		why: "what tests HTTP/2 has no place in the binary"},
	{path: "google.golang.org/grpc", tests: true,
		why: "what tests calls of gRPC has no place in the binary; etcd has its own part of it"},
	{path: "golang.org/x/sys", only: []string{"attach", "proxy", "cmd"},
		why: "the operating system stops at attach and at the proxy's loops"},
	{path: "github.com/vishvananda/netlink", only: []string{"attach"},
		why: "the operating system stops at attach"},
	{path: "syscall", only: []string{"attach", "proxy", "cmd", "dnsserver", "store/etcd", "testkit"}, tests: true,
		why: "the operating system stops at attach and at the proxy's loops; dnsserver tells one errno from another, " +
			"store/etcd locks its directory, testkit ends processes"},
	{path: "testing", only: []string{"store/storetest", "testkit"}, tests: true,
		why: "what tests need is not linked into the binary"},
}

// pure packages are functions over bytes and values: they do no input or
// output, so nothing here that opens a file or a socket.
var pure = []string{"accesslog", "arn", "ipam/space", "proxy/balance", "proxy/clientcert", "proxy/http1", "proxy/http2", "proxy/keyring", "proxy/meter", "proxy/route", "snapshot", "proxy/jwt", "proxy/oidc"}

var impure = []string{"net", "net/http", "os", "os/exec", "syscall"}
