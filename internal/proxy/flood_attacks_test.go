//go:build linux

package proxy_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/net/http2"
)

// attack is something that clients do to servers of HTTP/2.
type attack struct {
	name, cve string
	settings  []http2.Setting
	deaf      bool // it doesn't read

	begin func(*attacker) error          // nil: nothing
	again func(f *attacker, i int) error // until it is ended; nil: it holds on to what it has

	ends string // what it is ended for, "" for nothing: it ends with the idle timeout
}

const withhold = http2.SettingInitialWindowSize

// attacks are the classes that were published since 2019.
var attacks = []attack{
	{name: "data dribble", cve: "CVE-2019-9511", settings: []http2.Setting{{ID: withhold, Val: 0}}, begin: func(f *attacker) error {
		return f.all(true, "GET", "/large")
	}, again: func(f *attacker, i int) error {
		return f.framer.WriteWindowUpdate(stream(i%128), 1)
	}, ends: "flood of WINDOW_UPDATE"},
	{name: "pings", cve: "CVE-2019-9512", again: func(f *attacker, i int) error {
		return f.framer.WritePing(false, [8]byte{byte(i)})
	}, ends: "flood of PING"},
	{name: "pings of who doesn't read", cve: "CVE-2019-9512", deaf: true, again: func(f *attacker, i int) error {
		return f.framer.WritePing(false, [8]byte{byte(i)})
	}, ends: "flood of PING"},
	{name: "a loop of priorities", cve: "CVE-2019-9513", begin: func(f *attacker) error { return f.all(true, "GET", "/wait") }, again: func(f *attacker, i int) error {
		return f.framer.WritePriority(stream(i%128), http2.PriorityParam{StreamDep: stream((i + 1) % 128), Exclusive: true, Weight: byte(i)})
	}, ends: "flood of PRIORITY"},
	{name: "priorities of streams that aren't there", again: func(f *attacker, i int) error {
		return f.framer.WritePriority(stream(1000+i), http2.PriorityParam{StreamDep: stream(2000 + i)})
	}, ends: "flood of PRIORITY"},
	{name: "resets that are provoked by malformed requests", cve: "CVE-2019-9514", again: func(f *attacker, i int) error {
		return f.head(i, true, f.request("GET", "/", "connection", "close"))
	}, ends: "flood of HEADERS"},
	{name: "settings", cve: "CVE-2019-9515", again: func(f *attacker, i int) error {
		return f.framer.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: uint32(i)})
	}, ends: "flood of SETTINGS"},
	{name: "settings that resize all windows", cve: "CVE-2019-9515", begin: func(f *attacker) error { return f.all(true, "GET", "/wait") }, again: func(f *attacker, i int) error {
		var all []http2.Setting
		for j := range 1000 {
			all = append(all, http2.Setting{ID: withhold, Val: uint32(i + j)})
		}
		return f.framer.WriteSettings(all...)
	}, ends: "flood of SETTINGS"},
	{name: "names of no length", cve: "CVE-2019-9516", again: func(f *attacker, i int) error {
		return f.head(i, true, f.request("GET", "/", "", "", "", "x"))
	}, ends: "flood of HEADERS"},
	{name: "responses that nobody reads", cve: "CVE-2019-9517", deaf: true, settings: []http2.Setting{{ID: withhold, Val: 1<<31 - 1}}, begin: func(f *attacker) error {
		return bothOf(f.framer.WriteWindowUpdate(0, 1<<30), f.all(true, "GET", "/large"))
	}},
	{name: "empty DATA", cve: "CVE-2019-9518", begin: func(f *attacker) error { return f.head(0, false, f.request("POST", "/wait")) }, again: func(f *attacker, i int) error {
		return f.framer.WriteData(stream(0), false, nil)
	}, ends: "flood of DATA"},
	{name: "padding alone", cve: "CVE-2019-9518", begin: func(f *attacker) error { return f.head(0, false, f.request("POST", "/wait")) }, again: func(f *attacker, i int) error {
		return f.framer.WriteDataPadded(stream(0), false, nil, make([]byte, 200))
	}, ends: "flood of DATA"},
	{name: "empty CONTINUATION", cve: "CVE-2019-9518", begin: (*attacker).beginBlock, again: func(f *attacker, i int) error {
		return f.framer.WriteContinuation(stream(0), false, nil)
	}, ends: "header block without an end"},
	{name: "rapid resets", cve: "CVE-2023-44487", again: func(f *attacker, i int) error {
		return bothOf(f.head(i, true, f.request("GET", "/wait")), f.framer.WriteRSTStream(stream(i), http2.ErrCodeCancel))
	}, ends: "flood of RST_STREAM"},
	{name: "rapid resets of uploads", cve: "CVE-2023-44487", again: func(f *attacker, i int) error {
		return bothOf(bothOf(f.head(i, false, f.request("POST", "/wait")), f.framer.WriteData(stream(i), false, []byte("x"))), f.framer.WriteRSTStream(stream(i), http2.ErrCodeCancel))
	}, ends: "flood of RST_STREAM"},
	{name: "CONTINUATION without an end", cve: "CVE-2024-24549, CVE-2024-27316, CVE-2024-30255, CVE-2024-28182", begin: (*attacker).beginBlock, again: func(f *attacker, i int) error {
		return f.framer.WriteContinuation(stream(0), false, bytes.Repeat([]byte{0x40, 1, 'x', 1, 'y'}, 3000))
	}, ends: "header block without an end"},
	{name: "resets that are provoked by windows of nothing", cve: "CVE-2025-8671", again: func(f *attacker, i int) error {
		return bothOf(f.head(i, true, f.request("GET", "/wait")), f.framer.WriteWindowUpdate(stream(i), 0))
	}, ends: "flood of WINDOW_UPDATE"},
	{name: "resets that are provoked by windows that overflow", cve: "CVE-2025-8671", again: func(f *attacker, i int) error {
		return bothOf(f.head(i, true, f.request("GET", "/wait")), f.framer.WriteWindowUpdate(stream(i), 1<<31-1))
	}, ends: "flood of WINDOW_UPDATE"},
	{name: "resets that are provoked by priorities", cve: "CVE-2025-8671", again: func(f *attacker, i int) error {
		return bothOf(f.head(i, true, f.request("GET", "/wait")), f.framer.WriteRawFrame(http2.FramePriority, 0, stream(i), make([]byte, 4)))
	}, ends: "flood of PRIORITY"},
	{name: "resets that are provoked by DATA behind the end", cve: "CVE-2025-8671", again: func(f *attacker, i int) error {
		return bothOf(f.head(i, true, f.request("GET", "/wait")), f.framer.WriteData(stream(i), false, []byte("x")))
	}, ends: "flood of DATA"},
	{name: "the session's window overflows", begin: func(f *attacker) error { return f.framer.WriteWindowUpdate(0, 1<<31-1) }, again: idle, ends: "window too large"},
	{name: "a field of the table, many times over", cve: "CVE-2016-6581, still tried", begin: func(f *attacker) error {
		return f.head(0, true, f.request("GET", "/", "x", strings.Repeat("y", 3000)))
	}, again: func(f *attacker, i int) error {
		ref := bytes.Clone(f.request("GET", "/", "x", strings.Repeat("y", 3000)))
		return f.head(i+1, true, append(ref, bytes.Repeat(ref[len(ref)-1:], 15_000)...))
	}, ends: "flood of HEADERS"},
	{name: "a table that is emptied and filled", again: func(f *attacker, i int) error {
		f.encoder.SetMaxDynamicTableSize(0) // which the block says, before it says the next
		f.encoder.SetMaxDynamicTableSize(4096)
		block := f.request("GET", "/wait", fmt.Sprintf("x-%d", i), strings.Repeat("y", 3000))
		return bothOf(f.head(i, true, block), f.framer.WriteRSTStream(stream(i), http2.ErrCodeCancel))
	}, ends: "flood of RST_STREAM"},
	{name: "a table that is larger than it may be", begin: func(f *attacker) error {
		return f.head(0, true, append([]byte{0x3f, 0xe1, 0xff, 0xff, 0x7f}, f.request("GET", "/")...))
	}, again: idle, ends: "invalid header block"},
	{name: "header lists as large as they may be", begin: func(f *attacker) error {
		return f.all(true, "GET", "/wait", "x", strings.Repeat("a", 15_000), "y", strings.Repeat("b", 15_000), "z", strings.Repeat("c", 15_000))
	}},
	{name: "header lists of many small fields", begin: func(f *attacker) error {
		var fields []string
		for i := range 400 {
			fields = append(fields, fmt.Sprintf("x-%d", i), "y")
		}
		return f.all(true, "GET", "/wait", fields...)
	}},
	{name: "windows that stay shut", settings: []http2.Setting{{ID: withhold, Val: 0}}, begin: func(f *attacker) error {
		return f.all(true, "GET", "/large")
	}},
	{name: "windows that stay shut, for little", settings: []http2.Setting{{ID: withhold, Val: 0}}, begin: func(f *attacker) error {
		return f.all(true, "GET", "/small")
	}},
	{name: "uploads that stall, on all streams", begin: func(f *attacker) error {
		if err := f.all(false, "POST", "/wait", "content-length", "1000000"); err != nil {
			return err
		}
		for i := range 128 {
			if err := f.framer.WriteData(stream(i), false, make([]byte, 1000)); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "uploads that fill all windows", begin: func(f *attacker) error {
		if err := f.all(false, "POST", "/full", "content-length", "1000000"); err != nil {
			return err
		}
		for i := range 60 { // 960 KiB, of which the target takes what its buffers hold
			if err := f.framer.WriteData(stream(i), false, make([]byte, 16_000)); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "a header block that stalls", begin: (*attacker).beginBlock},
	{name: "a frame that stalls", begin: func(f *attacker) error {
		_, err := f.conn.Write(append(binary.BigEndian.AppendUint32([]byte{0, 0x3f, 0xff, 0, 0}, 1), 'x'))
		return err
	}},
	{name: "frames that are unknown", again: func(f *attacker, i int) error {
		return f.framer.WriteRawFrame(http2.FrameType(0x42+i%100), 0, 0, nil)
	}, ends: "flood of unknown frames"},
	{name: "a frame that is too large", begin: func(f *attacker) error {
		return f.framer.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 16<<10+1))
	}, again: idle, ends: "frame longer than 16 KiB"},
}

// beginBlock begins a header block, and doesn't end it.
func (f *attacker) beginBlock() error {
	return f.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream(0), BlockFragment: f.request("GET", "/")})
}

// idle waits for what was done to have its effect.
func idle(f *attacker, _ int) error { return f.framer.WriteRawFrame(0x42, 0, 0, nil) }

func bothOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
