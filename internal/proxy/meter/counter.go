package meter

// Counter is one thing that is counted.
type Counter uint8

// What is counted of a node, by CloudWatch's names. Requests, responses of targets
// and errors on the way to them are counted of the target group on the node, and
// only there: a node's are the sum of its target groups'.
const (
	NewConnections      Counter = iota // NewConnectionCount
	RejectedConnections                // RejectedConnectionCount
	TLSErrors                          // ClientTLSNegotiationErrorCount
	Bytes                              // ProcessedBytes
	IPv6Bytes                          // IPv6ProcessedBytes
	IPv6Requests                       // IPv6RequestCount
	RuleEvaluations                    // RuleEvaluations
	FixedResponses                     // HTTP_Fixed_Response_Count
	Redirects                          // HTTP_Redirect_Count
	RedirectsTooLong                   // HTTP_Redirect_Url_Limit_Exceeded_Count
	ELB3XX                             // HTTPCode_ELB_3XX_Count
	ELB4XX                             // HTTPCode_ELB_4XX_Count
	ELB5XX                             // HTTPCode_ELB_5XX_Count
	ELB500                             // HTTPCode_ELB_500_Count
	ELB502                             // HTTPCode_ELB_502_Count
	ELB503                             // HTTPCode_ELB_503_Count
	ELB504                             // HTTPCode_ELB_504_Count
	NonCompliant                       // DesyncMitigationMode_NonCompliant_Request_Count
	DroppedFields                      // DroppedInvalidHeaderRequestCount
	ForwardedFields                    // ForwardedInvalidHeaderRequestCount
	NonSticky                          // NonStickyRequestCount
	AppNonSticky                       // AppCookieNonStickinessCount
	AuthErrors                         // ELBAuthError
	AuthFailures                       // ELBAuthFailure
	AuthSuccesses                      // ELBAuthSuccess
	AuthRefreshes                      // ELBAuthRefreshTokenSuccess
	AuthClaimsTooLarge                 // ELBAuthUserClaimsSizeExceeded

	Requests               // RequestCount
	GRPCRequests           // GrpcRequestCount
	Target2XX              // HTTPCode_Target_2XX_Count
	Target3XX              // HTTPCode_Target_3XX_Count
	Target4XX              // HTTPCode_Target_4XX_Count
	Target5XX              // HTTPCode_Target_5XX_Count
	TargetConnectionErrors // TargetConnectionErrorCount
	TargetTLSErrors        // TargetTLSNegotiationErrorCount
	UnhealthyRouting       // UnhealthyRoutingRequestCount
	counters
)

// names are CloudWatch's, by Counter.
var names = [counters]string{
	NewConnections:         "NewConnectionCount",
	RejectedConnections:    "RejectedConnectionCount",
	TLSErrors:              "ClientTLSNegotiationErrorCount",
	Bytes:                  "ProcessedBytes",
	IPv6Bytes:              "IPv6ProcessedBytes",
	IPv6Requests:           "IPv6RequestCount",
	RuleEvaluations:        "RuleEvaluations",
	FixedResponses:         "HTTP_Fixed_Response_Count",
	Redirects:              "HTTP_Redirect_Count",
	RedirectsTooLong:       "HTTP_Redirect_Url_Limit_Exceeded_Count",
	ELB3XX:                 "HTTPCode_ELB_3XX_Count",
	ELB4XX:                 "HTTPCode_ELB_4XX_Count",
	ELB5XX:                 "HTTPCode_ELB_5XX_Count",
	ELB500:                 "HTTPCode_ELB_500_Count",
	ELB502:                 "HTTPCode_ELB_502_Count",
	ELB503:                 "HTTPCode_ELB_503_Count",
	ELB504:                 "HTTPCode_ELB_504_Count",
	NonCompliant:           "DesyncMitigationMode_NonCompliant_Request_Count",
	DroppedFields:          "DroppedInvalidHeaderRequestCount",
	ForwardedFields:        "ForwardedInvalidHeaderRequestCount",
	NonSticky:              "NonStickyRequestCount",
	AppNonSticky:           "AppCookieNonStickinessCount",
	AuthErrors:             "ELBAuthError",
	AuthFailures:           "ELBAuthFailure",
	AuthSuccesses:          "ELBAuthSuccess",
	AuthRefreshes:          "ELBAuthRefreshTokenSuccess",
	AuthClaimsTooLarge:     "ELBAuthUserClaimsSizeExceeded",
	Requests:               "RequestCount",
	GRPCRequests:           "GrpcRequestCount",
	Target2XX:              "HTTPCode_Target_2XX_Count",
	Target3XX:              "HTTPCode_Target_3XX_Count",
	Target4XX:              "HTTPCode_Target_4XX_Count",
	Target5XX:              "HTTPCode_Target_5XX_Count",
	TargetConnectionErrors: "TargetConnectionErrorCount",
	TargetTLSErrors:        "TargetTLSNegotiationErrorCount",
	UnhealthyRouting:       "UnhealthyRoutingRequestCount",
}

// String returns CloudWatch's name.
func (c Counter) String() string { return names[c] }

// OfGroup says whether it is target groups that the counter is of.
func (c Counter) OfGroup() bool { return c >= Requests }

// Counters yields them all.
func Counters(yield func(Counter) bool) {
	for c := range counters {
		if !yield(c) {
			return
		}
	}
}

// ELB counts a response of the load balancer's own.
func (m *Meter) ELB(thread, status int) {
	switch {
	case status >= 500:
		m.Add(thread, ELB5XX, 1)
	case status >= 400:
		m.Add(thread, ELB4XX, 1)
	case status >= 300:
		m.Add(thread, ELB3XX, 1)
	}
	switch status {
	case 500:
		m.Add(thread, ELB500, 1)
	case 502:
		m.Add(thread, ELB502, 1)
	case 503:
		m.Add(thread, ELB503, 1)
	case 504:
		m.Add(thread, ELB504, 1)
	}
}

// Target counts a target's response.
func (m *Meter) Target(thread, status int) {
	if class := status / 100; 2 <= class && class <= 5 {
		m.Add(thread, Target2XX+Counter(class-2), 1)
	}
}
