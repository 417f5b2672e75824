//! Tables for people: a line a row, as wide as the terminal, the least important column the first
//! to go where that is too narrow.
//!
//! Where the output is no terminal its width is nobody's business: nothing is left out and nothing
//! is cut, so that `grep` finds what is there.

use std::convert::Infallible;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row, Width};

use super::terminal::{self, Tone};

/// Blanks between two columns.
const GAP: u16 = 2;

/// Longest text of a cell, in characters; a server may have sent a novel.
const LONGEST: usize = 500;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    title: &'static str,
    /// Columns of a higher rank go first; rank 1 only where cutting makes no room for it either; rank 0
    /// stays.
    rank: u8,
    /// Where it may be cut: the width that it always keeps, and the one below which columns of a
    /// higher rank rather go.
    cut: Option<(u16, u16)>,
    alignment: CellAlignment,
}

impl Column {
    /// A column that is shown whole or not at all.
    pub(super) const fn new(title: &'static str, rank: u8) -> Self {
        Self {
            title,
            rank,
            cut: None,
            alignment: CellAlignment::Left,
        }
    }

    /// It may be cut: to `comfortable` before any column goes, to `narrowest` where none may, or only
    /// one of rank 1.
    pub(super) const fn cut_to(mut self, narrowest: u16, comfortable: u16) -> Self {
        self.cut = Some((narrowest, comfortable));
        self
    }

    /// It holds numbers.
    pub(super) const fn right(mut self) -> Self {
        self.alignment = CellAlignment::Right;
        self
    }
}

/// A text that somebody copied from a cell, without the sign that it was cut there.
pub(super) fn uncut(text: &str) -> Result<String, Infallible> {
    Ok(text.trim_end_matches('…').to_owned())
}

/// A text in a table, safe for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let text = match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        };
        Self {
            text: terminal::line(&text).into_owned(),
            tone: Tone::Plain,
        }
    }

    pub(super) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Empty where there is nothing.
    pub(super) fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map(Self::new).unwrap_or_default()
    }

    fn styled(&self) -> comfy_table::Cell {
        let mut cell = comfy_table::Cell::new(&self.text);
        if let Some(color) = self.tone.color() {
            cell = cell.fg(color);
        }
        if let Some(attribute) = self.tone.attribute() {
            cell = cell.add_attribute(attribute);
        }
        cell
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    /// Lines of a row, at most.
    height: usize,
}

impl Table {
    pub(super) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            rows: Vec::new(),
            height: 1,
        }
    }

    /// Texts that are cut go on below instead, since every word of them counts.
    pub(super) fn wrapped(mut self) -> Self {
        self.height = usize::MAX;
        self
    }

    /// Adds a row of as many cells as there are columns.
    pub(super) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The table's lines, each ended. `width` is that of the terminal, if it is one.
    pub(super) fn render(&self, width: Option<u16>, colored: bool) -> String {
        let mut table = comfy_table::Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .force_no_tty();
        if colored {
            table.enforce_styling();
            table.style_text_only();
        }
        let titles = self.columns.iter().map(|column| {
            let tone = Tone::Strong;
            let text = column.title.to_owned();
            Cell { text, tone }.styled()
        });
        table.set_header(titles);
        for row in &self.rows {
            let mut cells = Row::from(row.iter().map(Cell::styled).collect::<Vec<_>>());
            cells.max_height(self.height);
            table.add_row(cells);
        }
        let widths = self.widths(&table.column_max_content_widths(), width);
        for (index, column) in self.columns.iter().enumerate() {
            let Some(shown) = table.column_mut(index) else {
                continue;
            };
            shown
                .set_padding((0, GAP))
                .set_cell_alignment(column.alignment);
            shown.set_constraint(match widths[index] {
                Some(width) => ColumnConstraint::Absolute(Width::Fixed(width + GAP)),
                None => ColumnConstraint::Hidden,
            });
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }

    /// The width of each column without its gap; `None` where it is left out.
    fn widths(&self, natural: &[u16], width: Option<u16>) -> Vec<Option<u16>> {
        let is_empty = |index: usize| self.rows.iter().all(|row| row[index].text.is_empty());
        let mut widths: Vec<Option<u16>> = (0..self.columns.len())
            .map(|index| (!is_empty(index)).then(|| natural[index]))
            .collect();
        let Some(width) = width.map(u32::from) else {
            return widths;
        };
        self.cut(&mut widths, |(_, comfortable)| comfortable);
        while total(&widths) > width {
            let highest = (0..widths.len())
                .filter(|index| widths[*index].is_some() && self.columns[*index].rank > 0)
                .max_by_key(|index| self.columns[*index].rank);
            let Some(index) = highest else { break };
            if self.columns[index].rank == 1 && total(&self.narrowest(&widths)) <= width {
                break;
            }
            widths[index] = None;
        }
        if total(&widths) > width {
            widths = self.narrowest(&widths);
        }
        let mut by_rank: Vec<usize> = (0..widths.len()).collect();
        by_rank.sort_by_key(|index| self.columns[*index].rank);
        // All are made comfortable before one takes what is left.
        let comfortable = |index: usize| {
            let cut = self.columns[index].cut;
            cut.map_or(natural[index], |(_, width)| width.min(natural[index]))
        };
        let wishes = by_rank.iter().map(|index| (*index, comfortable(*index)));
        let more = by_rank.iter().map(|index| (*index, natural[*index]));
        for (index, wish) in wishes.chain(more) {
            let spare = width.saturating_sub(total(&widths));
            if let Some(shown) = &mut widths[index] {
                let missing = u32::from(wish.saturating_sub(*shown));
                *shown += u16::try_from(missing.min(spare)).unwrap_or(u16::MAX);
            }
        }
        widths
    }

    fn narrowest(&self, widths: &[Option<u16>]) -> Vec<Option<u16>> {
        let mut narrowest = widths.to_vec();
        self.cut(&mut narrowest, |(narrowest, _)| narrowest);
        narrowest
    }

    fn cut(&self, widths: &mut [Option<u16>], to: impl Fn((u16, u16)) -> u16) {
        for (shown, column) in widths.iter_mut().zip(&self.columns) {
            if let (Some(shown), Some(cut)) = (shown, column.cut) {
                *shown = (*shown).min(to(cut));
            }
        }
    }
}

/// The width of the columns that are shown, with the gaps between them.
fn total(widths: &[Option<u16>]) -> u32 {
    let shown = widths.iter().flatten();
    let gaps = u32::from(GAP) * u32::try_from(shown.clone().count().saturating_sub(1)).unwrap_or(0);
    shown.map(|width| u32::from(*width)).sum::<u32>() + gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::new("JOB", 0).cut_to(6, 12),
            Column::new("HTTP", 2).right(),
            Column::new("MESSAGE", 1).cut_to(8, 10),
            Column::new("NOTE", 3),
        ]);
        let cells = ["nightly-report", "200", "数据库连接失败", ""].map(Cell::new);
        table.row(cells);
        table
    }

    fn lines(width: Option<u16>) -> Vec<String> {
        table()
            .render(width, false)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn without_a_terminal_nothing_is_cut_and_only_empty_columns_are_left_out() {
        assert_eq!(
            lines(None),
            [
                "JOB             HTTP  MESSAGE",
                "nightly-report   200  数据库连接失败"
            ]
        );
    }

    #[test]
    fn a_terminal_gets_as_much_as_it_has_columns_for() {
        assert_eq!(lines(Some(40))[1], "nightly-report   200  数据库连接失败");
        assert_eq!(lines(Some(32))[1], "nightly-report   200  数据库连…");
        assert_eq!(lines(Some(30))[1], "nightly-rep…   200  数据库连…");
    }

    #[test]
    fn the_least_important_column_goes_before_a_better_one_is_cut_to_the_bone() {
        assert_eq!(
            lines(Some(26)),
            ["JOB             MESSAGE", "nightly-report  数据库连…"]
        );
        assert_eq!(lines(Some(14)), ["JOB", "nightly-report"]);
        assert_eq!(lines(Some(10)), ["JOB", "nightly-r…"]);
    }

    #[test]
    fn what_is_next_to_indispensable_is_cut_before_it_goes_and_found_again_by_its_head() {
        let mut table = Table::new([
            Column::new("WHY", 0),
            Column::new("TRY", 2),
            Column::new("RUN", 1).cut_to(6, 12),
        ]);
        table.row(["func_failed", "1/2", "0199e3b2-7c1f"].map(Cell::new));
        let row = |width| {
            let text = table.render(Some(width), false);
            text.lines().nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(row(31), "func_failed  1/2  0199e3b2-7c1f");
        assert_eq!(row(29), "func_failed  0199e3b2-7c1f");
        assert_eq!(row(19), "func_failed  0199e…");
        assert_eq!(row(18), "func_failed");
        assert_eq!(uncut("0199e…"), Ok("0199e".to_owned()));
    }

    #[test]
    fn a_wrapped_table_goes_on_below_instead_of_cutting() {
        let mut table = Table::new([
            Column::new("LOCAL", 0),
            Column::new("NOTE", 0).cut_to(8, 10),
        ])
        .wrapped();
        table.row(["02:30", "one two three four"].map(Cell::new));
        assert_eq!(
            table.render(Some(18), false),
            "LOCAL  NOTE\n02:30  one two\n       three four\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_colours_take_no_columns() {
        for width in 8..60 {
            for line in lines(Some(width)) {
                assert!(
                    terminal::width(&line) <= usize::from(width),
                    "{width}: {line}"
                );
            }
        }
        let mut colored = Table::new([Column::new("A", 0), Column::new("B", 0)]);
        colored.row([Cell::new("x").tone(Tone::Bad), Cell::new("y")]);
        let text = colored.render(Some(20), true);
        assert!(text.contains("\u{1b}[38;5;1mx\u{1b}[39m  y"), "{text:?}");
    }
}
