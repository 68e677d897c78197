package logship

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkPack is what a line of an access log costs to compress.
func BenchmarkPack(b *testing.B) {
	const lines = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&text, `https 2026-11-22T06:04:%02d.%06dZ app/shop/0f1e2d3c4b5a6978 198.51.100.%d:%d 10.20.1.%d:8443 0.001 0.%03d 0.000 200 200 %d %d `+
			`"GET https://shop.example.test:443/cart?id=%d HTTP/1.1" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" TLS_AES_128_GCM_SHA256 TLSv1.3 `+
			`arn:aws:elasticloadbalancing:eu-test-1:210987654321:targetgroup/cart/1a2b3c4d5e6f7081 "Root=1-6923a1bc-%08x%016x" "shop.example.test" `+
			`"arn:aws:acm:eu-test-1:210987654321:certificate/3f2b8c1e-0000-4000-8000-5a6b7c8d9e0f" 20 2026-11-22T06:04:%02d.%06dZ "forward" "-" "-" `+
			`"10.20.1.15:8443" "200" "-" "-" TID_%016x%016x "-" "-" "-" 203.0.113.17`+"\n",
			i/1000, random.IntN(1e6), random.IntN(256), random.IntN(1<<16), random.IntN(16), random.IntN(100), random.IntN(2000), random.IntN(9000),
			random.IntN(1e5), random.Uint32(), random.Uint64(), i/1000, random.IntN(1e6), random.Uint64(), random.Uint64())
	}
	name := filepath.Join(b.TempDir(), "lines")
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	packed := int64(0)
	for b.Loop() {
		f, err := pack(name)
		if err != nil {
			b.Fatal(err)
		}
		if info, err := f.Stat(); err == nil {
			packed = info.Size()
		}
		_ = f.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lines, "ns/line")
	b.ReportMetric(float64(text.Len())/float64(packed), "ratio")
}
