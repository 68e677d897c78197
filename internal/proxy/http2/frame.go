package http2

import "encoding/binary"

// Preface is what a client begins with (RFC 9113 §3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Sizes of frames (RFC 9113 §4.1, §4.2). The largest payload is the smallest that
// one may announce: larger frames would only hold other streams up.
const (
	frameHeader  = 9
	maxFrameSize = 16 << 10
)

// frameType is the type of a frame (RFC 9113 §6). Others are ignored.
type frameType uint8

const (
	dataFrame         frameType = 0x0
	headersFrame      frameType = 0x1
	priorityFrame     frameType = 0x2
	resetFrame        frameType = 0x3
	settingsFrame     frameType = 0x4
	pushPromiseFrame  frameType = 0x5
	pingFrame         frameType = 0x6
	goAwayFrame       frameType = 0x7
	windowUpdateFrame frameType = 0x8
	continuationFrame frameType = 0x9
)

// Flags of frames.
const (
	flagAck        = 0x1 // SETTINGS, PING
	flagEndStream  = 0x1 // DATA, HEADERS
	flagEndHeaders = 0x4 // HEADERS, CONTINUATION
	flagPadded     = 0x8 // DATA, HEADERS
	flagPriority   = 0x20
)

// Settings (RFC 9113 §6.5.2).
const (
	settingEnablePush           = 0x2
	settingMaxConcurrentStreams = 0x3
	settingInitialWindowSize    = 0x4
	settingMaxFrameSize         = 0x5
	settingMaxHeaderListSize    = 0x6
)

// frame is one frame, where it lies.
type frame struct {
	kind    frameType
	flags   uint8
	stream  uint32
	payload []byte
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// parseFrame returns the frame at the start of in and its length; 0 while it isn't
// whole. A frame that is too large is known by its header.
func parseFrame(in []byte) (f frame, n int, err error) {
	if len(in) < frameHeader {
		return f, 0, nil
	}
	size := int(in[0])<<16 | int(in[1])<<8 | int(in[2])
	f.kind, f.flags = frameType(in[3]), in[4]
	f.stream = binary.BigEndian.Uint32(in[5:]) &^ (1 << 31)
	switch {
	case size > maxFrameSize:
		return f, 0, fault(FrameSizeError, "frame longer than 16 KiB")
	case len(in) < frameHeader+size:
		return f, 0, nil
	}
	f.payload = in[frameHeader : frameHeader+size]
	return f, frameHeader + size, nil
}

// content returns the payload without padding (RFC 9113 §6.1).
func (f *frame) content() ([]byte, error) {
	p := f.payload
	if !f.has(flagPadded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, fault(FrameSizeError, "no length of padding")
	}
	padding := int(p[0])
	if p = p[1:]; padding > len(p) {
		return nil, fault(ProtocolError, "more padding than frame")
	}
	return p[:len(p)-padding], nil
}

// appendFrameHeader appends the header of a frame whose payload of size bytes
// follows.
func appendFrameHeader(dst []byte, kind frameType, flags uint8, stream uint32, size int) []byte {
	dst = append(dst, byte(size>>16), byte(size>>8), byte(size), byte(kind), flags)
	return binary.BigEndian.AppendUint32(dst, stream)
}

func appendReset(dst []byte, stream uint32, code Code) []byte {
	dst = appendFrameHeader(dst, resetFrame, 0, stream, 4)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

func appendWindowUpdate(dst []byte, stream uint32, n int) []byte {
	dst = appendFrameHeader(dst, windowUpdateFrame, 0, stream, 4)
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

func appendPing(dst []byte, flags uint8, opaque []byte) []byte {
	return append(appendFrameHeader(dst, pingFrame, flags, 0, 8), opaque...)
}

func appendGoAway(dst []byte, last uint32, code Code, reason string) []byte {
	dst = appendFrameHeader(dst, goAwayFrame, 0, 0, 8+len(reason))
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, reason...)
}

func appendSetting(dst []byte, id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, id), value)
}

// appendHeaders appends the frames of a header block.
func appendHeaders(dst []byte, stream uint32, block []byte, endStream bool) []byte {
	kind, flags := headersFrame, uint8(0)
	if endStream {
		flags = flagEndStream
	}
	for {
		part := block[:min(len(block), maxFrameSize)]
		if block = block[len(part):]; len(block) == 0 {
			flags |= flagEndHeaders
		}
		dst = append(appendFrameHeader(dst, kind, flags, stream, len(part)), part...)
		if len(block) == 0 {
			return dst
		}
		kind, flags = continuationFrame, 0
	}
}
