package lookups

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// unpacker decompresses pages of Parquet, one after the other.
type unpacker struct {
	zstd *zstd.Decoder // made when needed, reused
	gzip *gzip.Reader
}

// unpack decompresses a page into dst, which must come out n bytes long. Whatever
// the page holds, no more than n bytes (for zstd, and a window) are made.
func (u *unpacker) unpack(codec format.CompressionCodec, dst, src []byte, n int) ([]byte, error) {
	dst = sized(dst, n)
	got, err := 0, error(nil)
	switch codec {
	case format.Uncompressed:
		got = copy(dst, src) + max(len(src)-n, 0)
	case format.Snappy:
		if got, err = snappy.DecodedLen(src); err == nil && got == n {
			_, err = snappy.Decode(dst, src)
		}
	case format.Lz4Raw:
		if n == 0 {
			got = max(len(src)-1, 0) // the empty block is a byte
		} else {
			got, err = lz4.UncompressBlock(src, dst)
		}
	case format.Gzip:
		got, err = u.gunzip(dst, src)
	case format.Zstd:
		got, err = u.unzstd(dst, src)
	default:
		return dst, fmt.Errorf("compressed by %s: want SNAPPY, GZIP, ZSTD, LZ4_RAW or none", codec)
	}
	if err != nil {
		return dst, fmt.Errorf("page compressed by %s: %w", codec, err)
	}
	if got != n {
		return dst, fmt.Errorf("a page of %d bytes does not unpack to the %d of its header: the file is damaged", len(src), n)
	}
	return dst, nil
}

func (u *unpacker) gunzip(dst, src []byte) (n int, err error) {
	if u.gzip == nil {
		u.gzip = new(gzip.Reader)
	}
	if err := u.gzip.Reset(bytes.NewReader(src)); err != nil {
		return 0, err
	}
	return unpackStream(u.gzip, dst)
}

func (u *unpacker) unzstd(dst, src []byte) (n int, err error) {
	if u.zstd == nil {
		u.zstd, err = newZstd(nil)
	}
	if err == nil {
		err = u.zstd.Reset(bytes.NewReader(src))
	}
	if err != nil {
		return 0, err
	}
	return unpackStream(u.zstd, dst)
}

// unpackStream fills dst and looks whether there is more; n then counts that, too.
func unpackStream(z io.Reader, dst []byte) (n int, err error) {
	n, err = io.ReadFull(z, dst)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
			err = nil // the length tells
		}
		return n, err
	}
	var more [1]byte
	m, err := io.ReadFull(z, more[:])
	if err == io.EOF {
		err = nil
	}
	return n + m, err
}
