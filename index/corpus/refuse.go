package corpus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// refusal is a kind of file that contains text and is not read. Behind a semicolon, hint
// has a command; a table counts files by the words before it.
type refusal struct{ magic, hint string }

// The hints of Arrow, whose two forms differ in the function that opens them.
const (
	arrowFile   = "Arrow: write Parquet; `python3 -c 'import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.ipc.open_file(\"FILE\").read_all(), \"FILE.parquet\")'`"
	arrowStream = "Arrow: write Parquet; `python3 -c 'import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.ipc.open_stream(\"FILE\").read_all(), \"FILE.parquet\")'`"
)

// sqliteHint writes a CSV for each table.
const sqliteHint = "SQLite: export its tables; `python3 -c 'import csv, sqlite3; d = sqlite3.connect(\"FILE\"); " +
	"[(c := d.execute(\"select * from [\" + name + \"]\"), w := csv.writer(open(\"FILE.\" + name + \".csv\", \"w\", newline=\"\")), " +
	"w.writerow(k[0] for k in c.description), w.writerows(c)) for name, in d.execute(\"select name from sqlite_master where type = ?\", [\"table\"]).fetchall()]'`"

// The hints of office files.
const (
	excelHint = "Excel: save it as CSV; `python3 -c 'import pandas; [t.to_csv(\"FILE.\" + name + \".csv\", index=False) for name, t in pandas.read_excel(\"FILE\", sheet_name=None).items()]'`"
	wordHint  = "Word: convert it to text; `soffice --headless --convert-to txt:Text FILE`"
	slideHint = "PowerPoint: convert it to text; `soffice --headless --convert-to pdf FILE`, then pdftotext"
	odfHint   = "OpenDocument: convert it; `soffice --headless --convert-to txt:Text FILE`, or csv for a table"
	bookHint  = "EPUB: convert it to text; `pandoc -t plain -o FILE.txt FILE`"
)

// The hints of files of Python. A pickle may have any shape, and reading it runs its code.
const (
	pickleHint = "a pickle: write JSON lines, if you trust it, since it is a program; `python3 -c 'import json, pickle; d = pickle.load(open(\"FILE\", \"rb\")); " +
		"d = d.to_dict(\"records\") if hasattr(d, \"to_dict\") else [d] if isinstance(d, (dict, str)) else d; [print(json.dumps(row, default=list)) for row in d]' > FILE.jsonl`"
	torchHint = "PyTorch: write JSON lines, if you trust it, since it is a program; `python3 -c 'import json, torch; d = torch.load(\"FILE\", weights_only=False); " +
		"[print(json.dumps(row, default=list)) for row in ([d] if isinstance(d, (dict, str)) else d)]' > FILE.jsonl`"
	numpyHint  = "an array of NumPy: write JSON lines if it has texts, and name the texts instead if it has token ids; `python3 -c 'import json, numpy; [print(json.dumps(row)) for row in numpy.load(\"FILE\").tolist()]' > FILE.jsonl`"
	tensorHint = "TFRecord: write JSON lines; `python3 -c 'import json, tensorflow as tf; [print(json.dumps({k: [str(b, \"utf8\", \"replace\") for b in f.bytes_list.value] " +
		"for k, f in tf.train.Example.FromString(r.numpy()).features.feature.items()})) for r in tf.data.TFRecordDataset(\"FILE\")]' > FILE.jsonl`"
	hdfHint = "HDF5: write JSON lines of its texts; `python3 -c 'import h5py, json; f = h5py.File(\"FILE\"); names = []; f.visit(names.append); " +
		"[print(json.dumps({\"text\": str(v, \"utf8\")})) for n in names if getattr(f[n], \"dtype\", None) is not None and f[n].dtype.kind in \"OS\" for v in f[n][...].ravel()]' > FILE.jsonl`"
	tokensHint = "binary data, such as token ids: name the texts that these were made of"
)

// refusals returns the kinds that the first bytes tell.
func refusals() []refusal {
	return []refusal{
		{"\x5d\x00\x00", "lzma: pipe it: xzcat FILE | noecho … -"},
		{"LZIP", "lzip: pipe it: lzip -dc FILE | noecho … -"},
		{"\x1f\x9d", "compress: pipe it: zcat FILE | noecho … -"},
		{"%PDF-", "PDF: convert it to text; `pdftotext FILE`"},
		{"{\\rtf", "RTF: convert it to text; `soffice --headless --convert-to txt:Text FILE`"},
		{"PAR1", "Parquet: it is read only from a file that is not compressed: decompress it"},
		{"ARROW1\x00\x00", arrowFile},
		{"\xff\xff\xff\xff", arrowStream},
		{"FEA1", "Feather: write Parquet; `python3 -c 'import pyarrow.feather as f, pyarrow.parquet as pq; pq.write_table(f.read_table(\"FILE\"), \"FILE.parquet\")'`"},
		{"ORC", "ORC: write Parquet; `python3 -c 'import pyarrow.orc as orc, pyarrow.parquet as pq; pq.write_table(orc.read_table(\"FILE\"), \"FILE.parquet\")'`"},
		{"Obj\x01", "Avro: write JSON lines; `python3 -c 'import fastavro, json; [print(json.dumps(row)) for row in fastavro.reader(open(\"FILE\", \"rb\"))]' > FILE.jsonl`"},
		{"SQLite format 3\x00", sqliteHint},
		{"\x80\x02", pickleHint},
		{"\x80\x03", pickleHint},
		{"\x80\x04", pickleHint},
		{"\x80\x05", pickleHint},
		{"\x93NUMPY", numpyHint},
		{"MMIDIDX\x00", tokensHint},
		{"\x89HDF\r\n", hdfHint},
		{"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it; `7z x FILE`"},
		{"Rar!\x1a\x07", "a rar archive: unpack it; `unrar x FILE`"},
		{"\xff\x06\x00\x00sNaPpY", "snappy: pipe it: snzip -dc FILE | noecho … -"},
		{"PGDMP", "a PostgreSQL dump: write SQL; `pg_restore -f FILE.sql FILE`"},
		{"!BDN", "an Outlook mailbox: write mbox; `readpst FILE`"},
		{"!<arch>\n", "an ar archive: unpack it; `ar x FILE`"},
	}
}

// refused returns the hint for a file of such a kind, as its first bytes or its name tell,
// or the kind of an archive; empty: it may be text.
func refused(path string, head []byte) string {
	if isTar(head) {
		return string(tarArchive)
	}
	for _, r := range refusals() {
		if r.hint == pickleHint && slices.Contains([]string{".pt", ".pth", ".bin", ".ckpt"}, extension(path)) {
			continue // the weights of a model
		}
		if bytes.HasPrefix(head, []byte(r.magic)) && (r.magic != "ORC" || bytes.IndexByte(head, 0) >= 0) {
			return r.hint
		}
	}
	switch {
	case codecOf(head) != Plain:
		return "compressed twice: decompress it once"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return refusedZip(extension(path), head)
	case bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return "an empty zip archive"
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return refusedOLE(extension(path), head)
	case extension(path) == ".pkl" || extension(path) == ".pickle":
		return pickleHint
	case extension(path) == ".br" && !utf8.Valid(head[:min(len(head), 64)]):
		return "brotli: pipe it: brotli -dc FILE | noecho … -"
	case bytes.IndexByte(head[:min(len(head), 8<<10)], 0) < 0:
		return ""
	case extension(path) == ".bin" || extension(path) == ".idx":
		return tokensHint
	case strings.HasSuffix(strings.ToLower(path), ".mds"): // isMDS knows the others
		return "MosaicML MDS: write JSON lines; `python3 -c 'import json, sys; from streaming import LocalDataset; [print(json.dumps(r)) for r in LocalDataset(sys.argv[1])]' FOLDER > train.jsonl`"
	case strings.Contains(strings.ToLower(path), ".tfrecord"):
		return tensorHint
	default:
		return ""
	}
}

// errData matches the error of a file of training data: text that is lost if a folder is
// read without it. Documents and archives may lie beside the text.
var errData = fmt.Errorf("%w", ErrUnreadable)

// refuse returns the error of a file that is not read.
func refuse(path, hint string) error {
	if kind := archiveKind(hint); kind == tarArchive || kind == zipArchive {
		return &archiveError{path, kind}
	}
	for _, remedy := range [...]string{": write ", ": pipe it", ": save it as CSV", "Outlook message", "compressed twice", "encoded mail", "Parquet:"} {
		if strings.Contains(hint, remedy) {
			return fmt.Errorf("%s: %w: %s", path, errData, hint)
		}
	}
	return unreadable(path, hint)
}

// refusedZip tells the kind of a zip archive by the names of its first members, or by the
// extension of its own.
func refusedZip(ext string, head []byte) string {
	names := zipNames(head)
	has := func(folder string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, folder) })
	}
	office := slices.ContainsFunc(names, func(n string) bool { return n == "[Content_Types].xml" || n == "_rels/.rels" })
	switch {
	case slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "/data.pkl") }):
		return torchHint
	case office && has("xl/"), ext == ".xlsx":
		return excelHint
	case office && has("word/"), ext == ".docx":
		return wordHint
	case office && has("ppt/"), ext == ".pptx":
		return slideHint
	case office:
		return "an Office file: convert it to text; `soffice --headless --convert-to txt:Text FILE`"
	}
	// The first member of these is called mimetype and is not compressed.
	_, mime, _ := bytes.Cut(head[:min(len(head), 256)], []byte("mimetype"))
	switch {
	case names[0] != "mimetype":
		return string(zipArchive)
	case bytes.HasPrefix(mime, []byte("application/epub")):
		return bookHint
	default:
		return odfHint
	}
}

// zipNames returns the names of the members at the beginning of a zip archive, the empty
// name if it is cut there. A member that does not say its size is followed by the next
// bytes that look like the head of a member.
func zipNames(head []byte) (names []string) {
	const fixed, magic, most = 30, "PK\x03\x04", 256
	for len(names) < most {
		if len(head) < fixed || string(head[:4]) != magic {
			break
		}
		flags, size := binary.LittleEndian.Uint16(head[6:]), int64(binary.LittleEndian.Uint32(head[18:]))
		name := int64(binary.LittleEndian.Uint16(head[26:]))
		data := fixed + name + int64(binary.LittleEndian.Uint16(head[28:]))
		if data > int64(len(head)) {
			break
		}
		names = append(names, string(head[fixed:fixed+name]))
		if flags&8 == 0 {
			head = head[min(data+size, int64(len(head))):]
			continue
		}
		next := bytes.Index(head[data:], []byte(magic))
		if next < 0 {
			break
		}
		head = head[data+int64(next):]
	}
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// refusedOLE tells the kind of an old Office file by the names of its streams, in UTF-16.
// An encrypted file of a new kind is such a file too.
func refusedOLE(ext string, head []byte) string {
	has := func(name string) bool {
		wide := make([]byte, 0, 2*len(name))
		for _, c := range []byte(name) {
			wide = append(wide, c, 0)
		}
		return bytes.Contains(head, wide)
	}
	switch {
	case has("EncryptedPackage"):
		return "an encrypted Office file: save it without a password"
	case has("WordDocument"):
		return wordHint
	case has("Workbook"):
		return excelHint
	case has("PowerPoint Document"):
		return slideHint
	case ext == ".msg", has("__properties_version"):
		return "an Outlook message: save it as .eml; `msgconvert FILE`, of the Debian package libemail-outlook-message-perl"
	default:
		return "an old Office file: convert it to text, or tables to CSV; `soffice --headless --convert-to txt:Text FILE`"
	}
}
