//! The one place that prints: tables for people, JSON, JSON lines and CSV for machines.
//!
//! - What a command was asked for goes to standard output, words about it to standard error; nothing
//!   on standard output changes because somebody looks.
//! - A reader that has seen enough (`| head -1`) is no error: what follows is dropped.
//! - Nothing panics here; the `print` macros do, where a stream is closed.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stderr, Stdout, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::table::Table;
use super::terminal::{self, Tone};

/// How a command answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: fits the terminal; may change
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// RFC 4180, with a header
    Csv,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colors {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Standard output and standard error of a command.
#[derive(Debug)]
pub(super) struct Printer<W: Write = BufWriter<Stdout>> {
    out: W,
    /// The reader has gone; nothing more is written.
    closed: bool,
    format: Format,
    colored: bool,
    /// Columns of the terminal, where the output is one.
    width: Option<u16>,
    quiet: bool,
}

impl Printer {
    /// For the process's own streams. `plain` is whether the environment asks for no colours
    /// (<https://no-color.org>).
    pub(super) fn new(format: Format, colors: Colors, plain: bool, quiet: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let colored = match colors {
            Colors::Auto => terminal && !plain,
            Colors::Always => true,
            Colors::Never => false,
        };
        let width = comfy_table::Table::new().width();
        Self {
            out: BufWriter::new(stdout),
            closed: false,
            format,
            colored,
            width: width.filter(|_| terminal),
            quiet,
        }
    }
}

impl<W: Write> Printer<W> {
    /// How the answer is wanted.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Columns of the terminal, where the output is one.
    pub(super) fn width(&self) -> Option<u16> {
        self.width
    }

    /// Whether colours are wanted.
    pub(super) fn is_colored(&self) -> bool {
        self.colored
    }

    /// The text in a tone, where colours are wanted.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colored {
            tone.paint(text)
        } else {
            text.to_owned()
        }
    }

    /// A line for people or of a text that is the answer itself.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        self.write(line)?;
        self.write("\n")
    }

    /// A table.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        let text = table.render(self.width, self.colored);
        self.write(&text)
    }

    /// One JSON document, for people to read as well.
    pub(super) fn document(&mut self, document: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(document)?;
        self.line(&text)
    }

    /// Begins a list of records in the format wanted, which is not the table's. `columns` are the
    /// keys of every record in their order.
    pub(super) fn records<'p>(&'p mut self, columns: &'p [&'p str]) -> io::Result<Records<'p, W>> {
        if self.format == Format::Csv {
            let header: Vec<String> = columns.iter().map(|name| field(name)).collect();
            self.csv_line(&header)?;
        }
        Ok(Records {
            printer: self,
            columns,
            count: 0,
        })
    }

    /// All records of a list.
    pub(super) fn all_records(
        &mut self,
        columns: &[&str],
        records: impl IntoIterator<Item = impl Serialize>,
    ) -> io::Result<()> {
        let mut list = self.records(columns)?;
        for record in records {
            list.add(&record)?;
        }
        list.end()
    }

    /// An object that is the whole answer: a document, a line, or a header and its fields.
    pub(super) fn one_record(&mut self, object: &Value) -> io::Result<()> {
        match self.format {
            Format::Table | Format::Json => self.document(object),
            Format::Jsonl | Format::Csv => {
                let keys = object.as_object().into_iter().flat_map(|map| map.keys());
                let columns: Vec<&str> = keys.map(String::as_str).collect();
                self.all_records(&columns, [object])
            }
        }
    }

    /// Words for people, beside the answer; none with `--quiet`.
    pub(super) fn note(&mut self, words: &str) {
        if !self.quiet {
            self.complain(words);
        }
    }

    /// Words that quiet does not silence: why a command fails.
    pub(super) fn complain(&mut self, words: &str) {
        // What was asked for comes first on a terminal that shows both. Nobody is left to tell of
        // an error of either.
        let _ = self.flush();
        let _ = writeln!(io::stderr(), "{}", terminal::lines(words));
    }

    /// Hands everything to the reader.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.unless_closed(flushed)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let written = self.out.write_all(text.as_bytes());
        self.unless_closed(written)
    }

    fn unless_closed(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }

    fn csv_line(&mut self, fields: &[String]) -> io::Result<()> {
        self.write(&fields.join(","))?;
        self.write("\r\n")
    }
}

/// A list of records that is being printed.
#[derive(Debug)]
pub(super) struct Records<'p, W: Write = BufWriter<Stdout>> {
    printer: &'p mut Printer<W>,
    columns: &'p [&'p str],
    count: u64,
}

impl<W: Write> Records<'_, W> {
    /// Prints one.
    pub(super) fn add(&mut self, record: &impl Serialize) -> io::Result<()> {
        self.count += 1;
        match self.printer.format {
            Format::Csv => {
                let record = serde_json::to_value(record)?;
                let values = self.columns.iter().map(|name| csv(&record[*name]));
                let fields: Vec<String> = values.collect();
                self.printer.csv_line(&fields)
            }
            Format::Jsonl => self.printer.line(&serde_json::to_string(record)?),
            // A table has printed its own rows; asked for records, it gets the list.
            Format::Json | Format::Table => {
                let lead = if self.count == 1 { "[\n  " } else { ",\n  " };
                self.printer.write(lead)?;
                self.printer.write(&serde_json::to_string(record)?)
            }
        }
    }

    /// Whether nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.printer.closed
    }

    /// Ends the list.
    pub(super) fn end(self) -> io::Result<()> {
        match (self.printer.format, self.count) {
            (Format::Csv | Format::Jsonl, _) => Ok(()),
            (_, 0) => self.printer.line("[]"),
            _ => self.printer.line("\n]"),
        }
    }
}

/// A value as a field of CSV. Nothing is an empty field, an empty text is `""`; lists and objects are
/// their JSON.
fn csv(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => field(text),
        other => field(&other.to_string()),
    }
}

/// RFC 4180, section 2: quoted where it holds a comma, a quote or a line break.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// `1 job`, `2 jobs`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// Words before there is a printer, or after it is gone.
pub(super) fn complain(words: &str) {
    let mut stderr: Stderr = io::stderr();
    let _ = writeln!(stderr, "{}", terminal::lines(words));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use serde_json::json;

    fn printer<W: Write>(format: Format, out: W) -> Printer<W> {
        Printer {
            out,
            closed: false,
            format,
            colored: false,
            width: None,
            quiet: true,
        }
    }

    fn printed(format: Format, records: &[Value]) -> String {
        let mut printer = printer(format, Vec::new());
        printer.all_records(&["a", "b"], records).unwrap();
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn a_list_is_one_document_lines_or_fields() {
        let records = [json!({"a": 1, "b": "x"}), json!({"a": null, "b": "报表"})];
        assert_eq!(
            printed(Format::Json, &records),
            "[\n  {\"a\":1,\"b\":\"x\"},\n  {\"a\":null,\"b\":\"报表\"}\n]\n"
        );
        assert_eq!(
            printed(Format::Jsonl, &records),
            "{\"a\":1,\"b\":\"x\"}\n{\"a\":null,\"b\":\"报表\"}\n"
        );
        assert_eq!(printed(Format::Csv, &records), "a,b\r\n1,x\r\n,报表\r\n");
    }

    #[test]
    fn an_empty_list_is_still_a_document_and_still_has_its_header() {
        assert_eq!(printed(Format::Json, &[]), "[]\n");
        assert_eq!(printed(Format::Jsonl, &[]), "");
        assert_eq!(printed(Format::Csv, &[]), "a,b\r\n");
    }

    #[test]
    fn fields_of_csv_are_quoted_where_rfc_4180_wants_it_and_nothing_differs_from_empty() {
        let records = [
            json!({"a": "x,\"y\"\r\nz", "b": ""}),
            json!({"a": ["x", 1], "b": null}),
        ];
        assert_eq!(
            printed(Format::Csv, &records),
            "a,b\r\n\"x,\"\"y\"\"\r\nz\",\"\"\r\n\"[\"\"x\"\",1]\",\r\n"
        );
    }

    /// Takes a few bytes, then is gone.
    struct Gone(usize);

    impl Write for Gone {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.min(bytes.len()) {
                0 => Err(ErrorKind::BrokenPipe.into()),
                taken => {
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_and_is_noticed() {
        let mut printer = printer(Format::Jsonl, Gone(3));
        assert!(!printer.closed);
        printer
            .all_records(&["a"], [json!({"a": 1}), json!({"a": 2})])
            .unwrap();
        assert!(printer.closed);
        printer.flush().unwrap();
    }

    #[test]
    fn any_other_failure_of_the_output_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(printer(Format::Json, Full).line("x").is_err());
    }
}
