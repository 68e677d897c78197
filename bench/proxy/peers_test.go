package proxy

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

func dial(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func freeAddr(b *testing.B) string {
	return fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(b))
}

// nginx is what all configurations of it begin with.
const nginx = `daemon off; master_process off; pid %s/pid; error_log %s/error.log; worker_processes 1; worker_rlimit_nofile 20000;
events { worker_connections 19900; }
http { ` + nginxFormat + `%s keepalive_requests 1000000000; keepalive_timeout 3600;
`

// nginxFormat is a log format with the fields of an Application Load Balancer's that
// nginx knows, or something of their length.
const nginxFormat = `log_format fields '$scheme $time_iso8601 app/lb/1 $remote_addr:$remote_port $upstream_addr $upstream_connect_time $upstream_header_time $upstream_response_time '
  '$status $upstream_status $request_length $bytes_sent "$request_method $scheme://$http_host:$server_port$request_uri $server_protocol" "$http_user_agent" '
  '$ssl_cipher $ssl_protocol tg "Root=$request_id" "$ssl_server_name" "-" 0 $time_iso8601 "forward" "-" "-" "$upstream_addr" "$upstream_status" "-" "-" TID_$connection "-" "-" "-" $server_addr';
`

func nginxConf(b *testing.B, log, rest string) string {
	dir := b.TempDir()
	if log == "" {
		log = "off"
	}
	return write(b, "nginx.conf", fmt.Sprintf(nginx, dir, dir, "access_log "+log+";")+rest)
}

// startHAProxy starts HAProxy as its users tune it, with the headers that we add.
func startHAProxy(b *testing.B, to setup) *contestant {
	addr := freeAddr(b)
	bind, proto := addr, "http"
	if to.tls != nil {
		bind, proto = addr+" ssl crt "+to.tls.path+" alpn "+to.protocol(), "https"
	}
	told := ""
	if to.clients != "" {
		bind += " no-tls-tickets verify required ca-file " + filepath.Join(to.clients, "roots.pem")
		told = `  http-request set-header X-Subject %{+Q}[ssl_c_s_dn]
  http-request set-header X-Issuer %{+Q}[ssl_c_i_dn]
  http-request set-header X-Serial %[ssl_c_serial,hex]
  http-request set-header X-Validity %[ssl_c_notbefore];%[ssl_c_notafter]
  http-request set-header X-Leaf %[ssl_c_der,base64]
`
	}
	log := ""
	if to.logs != "" {
		log = "  log " + startSyslog(b) + " local0\n  option httplog\n"
	}
	server := to.server
	if to.grpc {
		server += " proto h2"
	}
	var rules strings.Builder
	for i := range rules20 - 1 {
		fmt.Fprintf(&rules, "  use_backend servers if { path_beg /rule-%d/ }\n", i)
	}
	conf := write(b, "haproxy.cfg", fmt.Sprintf(`global
  nbthread 1
  maxconn 9600
defaults
  mode http
%s  http-reuse always
  timeout client 60s
  timeout server 60s
  timeout connect 10s
  timeout tunnel 60s
frontend web
  bind %s
  option forwardfor
  http-request set-header X-Forwarded-Proto %s
  http-request set-header X-Forwarded-Port %%[dst_port]
%s%s  default_backend servers
backend servers
  cookie SERVER insert indirect nocache
  server one %s cookie one
`, log, bind, proto, told, rules.String(), server))
	return &contestant{name: "haproxy", addr: addr, pid: start(b, 0, addr, nil, "haproxy", "-db", "-f", conf)}
}

// startNginx starts nginx as a proxy.
func startNginx(b *testing.B, to setup) *contestant {
	addr := freeAddr(b)
	var rules strings.Builder
	passed := `proxy_set_header Connection "";`
	if to.tunnels {
		passed = "proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade;"
	}
	pass := "proxy_pass http://servers; proxy_http_version 1.1; " + passed + " proxy_set_header Host $host; " +
		"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port; proxy_buffers 8 16k;"
	if to.clients != "" {
		pass += " proxy_set_header X-Subject $ssl_client_s_dn; proxy_set_header X-Issuer $ssl_client_i_dn; proxy_set_header X-Serial $ssl_client_serial;" +
			` proxy_set_header X-Validity "$ssl_client_v_start;$ssl_client_v_end"; proxy_set_header X-Leaf $ssl_client_escaped_cert;`
	}
	if to.grpc {
		pass = strings.NewReplacer("proxy_pass http:", "grpc_pass grpc:", "proxy_http_version 1.1; "+passed, "", "proxy_buffers 8 16k;", "", "proxy_set", "grpc_set").Replace(pass)
	}
	for i := range rules20 - 1 {
		fmt.Fprintf(&rules, "location /rule-%d/ { %s }\n", i, pass)
	}
	log := ""
	if to.logs != "" {
		log = filepath.Join(to.logs, "nginx") + cmp.Or(to.format, " combined") + " buffer=64k flush=1s"
	}
	listen := addr + ";"
	if to.tls != nil {
		version := ""
		if to.http2 {
			version = " http2"
		}
		listen = fmt.Sprintf("%s ssl%s; ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.2 TLSv1.3;", addr, version, to.tls.path, to.tls.path)
	}
	if to.clients != "" {
		listen += " ssl_session_tickets off; ssl_verify_depth 3; ssl_verify_client on; ssl_client_certificate " + filepath.Join(to.clients, "roots.pem") + ";"
	}
	conf := nginxConf(b, log, fmt.Sprintf("upstream servers { server %s; keepalive 512; keepalive_requests 1000000000; }\nserver { listen %s %slocation / { %s } } }\n", to.server, listen, rules.String(), pass))
	return &contestant{name: "nginx", addr: addr, pid: start(b, 0, addr, nil, "nginx", "-c", conf, "-e", filepath.Join(filepath.Dir(conf), "log"))}
}

// startNginxFields starts nginx with lines in its log that have the fields of ours.
func startNginxFields(b *testing.B, to setup) *contestant {
	to.format = " fields"
	c := startNginx(b, to)
	c.name += "-fields"
	return c
}

// startSyslog takes the lines of HAProxy, which writes none itself, and throws them
// away.
func startSyslog(b *testing.B) (addr string) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String()
}
