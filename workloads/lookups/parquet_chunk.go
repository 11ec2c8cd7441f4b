package lookups

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// parquetChunk reads the values of one column in one row group.
type parquetChunk struct {
	*unpacker
	column parquetColumn
	codec  format.CompressionCodec
	in     *bufio.Reader
	at     int64 // of in, in the file
	end    int64 // of the chunk
	left   int64 // values that the footer claims and no page has given

	pageAt int64 // where the present page starts
	inPage int   // values of the page that are left
	values valueDecoder
	levels hybrid // definition levels; not used when all values are there

	dict         []byte // plain values
	packed, page []byte // reused
	some         [1024]uint32
}

func newParquetChunk(file io.ReaderAt, end int64, c *format.ColumnChunk, column parquetColumn, u *unpacker) (*parquetChunk, error) {
	m := &c.MetaData
	if c.FilePath != "" {
		return nil, fmt.Errorf("its values are in another file, %q", c.FilePath)
	}
	if len(c.EncryptedColumnMetadata) > 0 || c.CryptoMetadata.Value != nil {
		return nil, errors.New("it is encrypted")
	}
	at := m.DataPageOffset
	if d := m.DictionaryPageOffset; d > 0 && d < at {
		at = d
	}
	if at < int64(len(parquetMagic)) || m.TotalCompressedSize < 0 || at > end || m.TotalCompressedSize > end-at {
		return nil, fmt.Errorf("%d bytes from byte %d on, but the footer starts at byte %d: the file is damaged", m.TotalCompressedSize, at, end)
	}
	if m.NumValues < 0 {
		return nil, fmt.Errorf("%d values: the file is damaged", m.NumValues)
	}
	section := io.NewSectionReader(file, at, m.TotalCompressedSize)
	return &parquetChunk{
		unpacker: u,
		column:   column,
		codec:    m.Codec,
		in:       bufio.NewReaderSize(section, 1<<16),
		at:       at,
		end:      at + m.TotalCompressedSize,
		left:     m.NumValues,
		pageAt:   at,
	}, nil
}

// read fills dst with the next keys; io.EOF at the end of the chunk.
func (c *parquetChunk) read(dst []uint64) (n int, err error) {
	for n < len(dst) {
		if c.inPage == 0 {
			if c.left == 0 {
				return n, io.EOF
			}
			if err := c.nextPage(); err != nil {
				return n, err
			}
			continue
		}
		run := min(len(dst)-n, c.inPage)
		got, err := c.readPage(dst[n : n+run])
		n += got
		c.inPage -= got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readPage fills dst from the present page.
func (c *parquetChunk) readPage(dst []uint64) (n int, err error) {
	there, missing := len(dst), false
	if c.column.optional > 0 {
		if there, missing, err = c.present(len(dst)); err != nil {
			return 0, err
		}
	}
	n, err = c.values.decode(dst[:there])
	for i, v := range dst[:n] {
		k, bad := c.column.key(v)
		if bad != nil {
			return i, bad
		}
		dst[i] = k
	}
	if err == nil && missing {
		err = errors.New("no value (null): every row must have a key")
	}
	return n, err
}

// present reads up to n definition levels and returns how many values are there
// before the first that is missing.
func (c *parquetChunk) present(n int) (there int, missing bool, err error) {
	for there < n {
		some := c.some[:min(n-there, len(c.some))]
		got, err := c.levels.read(some)
		for _, level := range some[:got] {
			if level != uint32(c.column.optional) {
				return there, true, nil
			}
			there++
		}
		if err != nil {
			return there, false, fmt.Errorf("definition levels: %w", err)
		}
	}
	return there, false, nil
}

// nextPage goes to the next page of data and takes up a dictionary on the way.
func (c *parquetChunk) nextPage() error {
	c.pageAt = c.at
	h, err := c.header()
	if err != nil {
		return err
	}
	if err := c.body(h); err != nil {
		return err
	}
	switch h.Type {
	case format.DictionaryPage:
		return c.dictionary(h)
	case format.DataPage:
		return c.dataV1(h)
	case format.DataPageV2:
		return c.dataV2(h)
	}
	return nil // pages of other kinds have no values
}

// header reads a page header and checks what it claims.
func (c *parquetChunk) header() (*format.PageHeader, error) {
	if c.at == c.end {
		return nil, fmt.Errorf("the pages end %d values too early: the file is damaged", c.left)
	}
	data, err := c.in.Peek(int(min(c.end-c.at, maxParquetHeader)))
	if err != nil {
		return nil, fmt.Errorf("page header: %w", unexpected(err))
	}
	h := new(format.PageHeader)
	n, err := decodeThrift(data, h)
	if err != nil {
		return nil, fmt.Errorf("page header: %w", err)
	}
	c.in.Discard(n)
	c.at += int64(n)
	packed, plain := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if packed < 0 || plain < 0 || packed > c.end-c.at {
		return nil, fmt.Errorf("a page claims %d bytes, unpacked %d, where %d are left: the file is damaged", packed, plain, c.end-c.at)
	}
	if max(packed, plain) > maxParquetPage {
		return nil, fmt.Errorf("a page of %d bytes, unpacked %d, is above the limit of %d: write smaller pages", packed, plain, maxParquetPage)
	}
	return h, nil
}

// body reads the bytes of a page.
func (c *parquetChunk) body(h *format.PageHeader) error {
	c.packed = sized(c.packed, int(h.CompressedPageSize))
	if _, err := io.ReadFull(c.in, c.packed); err != nil {
		return fmt.Errorf("page: %w", unexpected(err))
	}
	c.at += int64(len(c.packed))
	return nil
}

func (c *parquetChunk) dictionary(h *format.PageHeader) (err error) {
	if !h.DictionaryPageHeader.Valid {
		return errors.New("a dictionary page without its header: the file is damaged")
	}
	d := &h.DictionaryPageHeader.V
	if d.Encoding != format.Plain && d.Encoding != plainDictionary {
		return fmt.Errorf("a dictionary encoded as %s: want PLAIN", d.Encoding)
	}
	c.dict, err = c.unpack(c.codec, c.dict, c.packed, int(h.UncompressedPageSize))
	if err != nil {
		return fmt.Errorf("dictionary: %w", err)
	}
	if c.dict == nil {
		c.dict = []byte{} // it is there, and empty
	}
	if int64(d.NumValues) != int64(len(c.dict)/c.column.bytes) {
		return fmt.Errorf("a dictionary of %d values in %d bytes: the file is damaged", d.NumValues, len(c.dict))
	}
	return nil
}

// dataV1 takes up a page whose levels are compressed with its values.
func (c *parquetChunk) dataV1(h *format.PageHeader) (err error) {
	if !h.DataPageHeader.Valid {
		return errors.New("a data page without its header: the file is damaged")
	}
	d := &h.DataPageHeader.V
	c.page, err = c.unpack(c.codec, c.page, c.packed, int(h.UncompressedPageSize))
	if err != nil {
		return err
	}
	data := c.page
	if c.column.optional > 0 {
		if d.DefinitionLevelEncoding != format.RLE {
			return fmt.Errorf("definition levels encoded as %s: want RLE", d.DefinitionLevelEncoding)
		}
		if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
			return errors.New("the definition levels are longer than the page: the file is damaged")
		}
		n := 4 + int(binary.LittleEndian.Uint32(data))
		c.levels = hybrid{data: data[4:n], width: c.column.levelBits()}
		data = data[n:]
	}
	return c.take(d.NumValues, d.Encoding, data)
}

// dataV2 takes up a page whose levels stand, as they are, before its values.
func (c *parquetChunk) dataV2(h *format.PageHeader) (err error) {
	if !h.DataPageHeaderV2.Valid {
		return errors.New("a data page without its header: the file is damaged")
	}
	d := &h.DataPageHeaderV2.V
	repetition, definition := int64(d.RepetitionLevelsByteLength), int64(d.DefinitionLevelsByteLength)
	levels := repetition + definition
	if repetition < 0 || definition < 0 || levels > int64(len(c.packed)) || levels > int64(h.UncompressedPageSize) {
		return errors.New("the levels are longer than the page: the file is damaged")
	}
	c.levels = hybrid{data: c.packed[repetition:levels], width: c.column.levelBits()}
	codec := c.codec
	if d.IsCompressed.Valid && !d.IsCompressed.V {
		codec = format.Uncompressed
	}
	c.page, err = c.unpack(codec, c.page, c.packed[levels:], int(h.UncompressedPageSize)-int(levels))
	if err != nil {
		return err
	}
	return c.take(d.NumValues, d.Encoding, c.page)
}

// take starts to hand out a page's values.
func (c *parquetChunk) take(values int32, encoding format.Encoding, data []byte) (err error) {
	if values < 0 || int64(values) > c.left {
		return fmt.Errorf("a page of %d values where the footer leaves %d: the file is damaged", values, c.left)
	}
	c.values, err = newValueDecoder(encoding, data, c.column.bytes, c.dict)
	c.left -= int64(values)
	c.inPage = int(values)
	return err
}

func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// unexpected makes an end in the middle an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
