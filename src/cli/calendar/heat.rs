//! The heat map: a line a day, a cell an hour, a colour for the share of the quota.
//!
//! What the colours tell, the characters tell too. All of them are ASCII: what Unicode has for shades
//! takes one column in some terminals and two in others, those of Chinese users first.

use jiff::civil::Date;

use crate::cli::output::counted;
use crate::domain::forecast::{Hour, Load, Span};

/// The title of a day's total. Short: with it, two digits an hour fit into 80 columns.
const TOTAL: &str = "sum";

/// What the characters mean where no numbers fit.
const DIGITS: &str = "Shown in tenths of the quota, rounded up: # is all of it, ! is more.";

/// A month, hour by hour.
pub(super) struct Month {
    pub(super) first: Date,
    pub(super) timezone: String,
    pub(super) hours: Vec<(Hour, Load)>,
}

/// A day's hour as it is shown; the two passes of a repeated hour are one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    /// The clocks jump over it.
    Absent,
    /// Too much would have to be computed.
    Unknown,
    Calls {
        calls: u64,
        heat: Heat,
    },
}

/// How much of the quota an hour uses.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heat {
    None,
    /// This share, above 0.
    Share(f64),
    /// Calls that no limit binds.
    Unlimited,
}

impl Heat {
    fn of(calls: u64, share: Option<f64>) -> Self {
        match share {
            _ if calls == 0 => Self::None,
            Some(share) => Self::Share(share),
            None => Self::Unlimited,
        }
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Share(share) if share > 1.0)
    }

    /// One character: tenths of the quota, rounded up.
    fn digit(self) -> char {
        match self {
            Self::None => '.',
            Self::Unlimited => '+',
            Self::Share(share) if share > 1.0 => '!',
            Self::Share(share) => {
                // At most 10 by the arm above.
                let tenths = (share * 10.0).ceil().max(1.0) as u32;
                char::from_digit(tenths, 10).unwrap_or('#')
            }
        }
    }

    /// The escape sequence: black on a ramp from pale green to red, on light and dark terminals alike.
    fn color(self) -> &'static str {
        match self {
            Self::None => "2",
            Self::Unlimited => "38;5;16;48;5;152",
            Self::Share(..=0.25) => "38;5;16;48;5;194",
            Self::Share(..=0.5) => "38;5;16;48;5;150",
            Self::Share(..=0.75) => "38;5;16;48;5;227",
            Self::Share(..=1.0) => "38;5;16;48;5;215",
            Self::Share(_) => "1;38;5;16;48;5;203",
        }
    }
}

/// How a line is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    /// `Tue 24`, else `24`.
    weekdays: bool,
    /// Digits of a count; `None`: tenths of the quota, one character.
    count: Option<usize>,
    /// Whether blanks stand between the hours.
    apart: bool,
    /// Digits of a day's total.
    total: usize,
}

impl Layout {
    /// The best that fits: counts before tenths of the quota, and rather without the weekdays.
    fn fitting(width: Option<u16>, count: usize, total: usize) -> Self {
        let layout = |weekdays, count, apart| Self {
            weekdays,
            count,
            apart,
            total,
        };
        let narrowest = layout(false, None, false);
        let by_preference = [
            layout(true, Some(count), true),
            layout(false, Some(count), true),
            layout(true, None, true),
            layout(false, None, true),
        ];
        let fits = |layout: &Self| width.is_none_or(|width| layout.width() <= usize::from(width));
        by_preference.into_iter().find(fits).unwrap_or(narrowest)
    }

    fn label(self) -> usize {
        if self.weekdays { 6 } else { 2 }
    }

    fn cell(self) -> usize {
        self.count.unwrap_or(1)
    }

    fn width(self) -> usize {
        let between = usize::from(self.apart);
        let lead = usize::from(!self.apart);
        self.label() + lead + 24 * (self.cell() + between) + 2 + self.total
    }
}

impl Month {
    /// The lines of the map. `width` is that of the terminal, if it is one.
    pub(super) fn render(&self, width: Option<u16>, colored: bool) -> Vec<String> {
        let days = self.days();
        let totals: Vec<String> = days.iter().map(|(_, cells)| total(cells)).collect();
        let cells = days.iter().flat_map(|(_, cells)| cells);
        let count = cells.map(|cell| cell.count().len()).max().unwrap_or(0);
        let most = totals.iter().map(String::len).max().unwrap_or(0);
        // A column has room for its title.
        let layout = Layout::fitting(width, count.max(2), most.max(TOTAL.len()));
        let mut lines = vec![self.title(), String::new(), header(layout)];
        for ((date, cells), total) in days.iter().zip(&totals) {
            lines.push(line(layout, *date, cells, total, colored));
        }
        lines.push(String::new());
        lines.extend(self.legend(layout, colored));
        lines.extend(self.changes_of_the_clocks());
        lines
    }

    fn title(&self) -> String {
        let known = self.hours.iter().filter_map(|(_, load)| load.calls);
        let calls = counted(known.sum(), "call");
        let month = self.first.strftime("%Y-%m");
        let is_whole = self.hours.iter().all(|(_, load)| load.calls.is_some());
        let more = if is_whole { "" } else { "more than " };
        format!("{month}, {}: {more}{calls}", self.timezone)
    }

    fn days(&self) -> Vec<(Date, [Cell; 24])> {
        let mut days: Vec<(Date, [Cell; 24])> = Vec::new();
        for (hour, load) in &self.hours {
            if days.last().is_none_or(|(date, _)| *date != hour.date) {
                days.push((hour.date, [Cell::Absent; 24]));
            }
            let index = usize::try_from(hour.hour).unwrap_or(0) % 24;
            if let Some((_, cells)) = days.last_mut() {
                cells[index] = cells[index].and(load);
            }
        }
        days
    }

    fn legend(&self, layout: Layout, colored: bool) -> Vec<String> {
        let is_over = |load: &Load| load.share.is_some_and(|share| share > 1.0);
        let is_over = self.hours.iter().any(|(_, load)| is_over(load));
        let limit = self.limit();
        let quota = match limit {
            Some(limit) => format!("the quota lets {limit} through"),
            None => "not every workspace has a quota".to_owned(),
        };
        let mut lines = vec![format!("Calls an hour; {quota}.")];
        match (layout.count, limit) {
            (Some(_), _) if !is_over => {}
            (Some(_), Some(_)) => lines.push("! marks more than that.".to_owned()),
            (Some(_), None) => {
                lines.push("! marks more than a workspace's lets through.".to_owned())
            }
            (None, Some(_)) => lines.push(DIGITS.to_owned()),
            (None, None) => lines.extend([DIGITS, "+ has no quota."].map(str::to_owned)),
        }
        if colored {
            lines.push(scale());
        }
        lines
    }

    /// What a whole hour may hold.
    fn limit(&self) -> Option<u64> {
        let is_whole = |hour: &Hour| {
            let Span { from, until } = hour.span;
            until.as_second() - from.as_second() == 3_600
        };
        let whole = self.hours.iter().find(|(hour, _)| is_whole(hour));
        whole.and_then(|(_, load)| load.limit)
    }

    /// Hours that are not there, or twice.
    fn changes_of_the_clocks(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (date, cells) in self.days() {
            for (hour, cell) in cells.iter().enumerate() {
                let passes = self
                    .hours
                    .iter()
                    .filter(|(of, _)| of.date == date && usize::try_from(of.hour) == Ok(hour));
                if *cell == Cell::Absent {
                    told.push(format!(
                        "{date} has no {hour:02}:00: the clocks jump over it."
                    ));
                } else if passes.count() > 1 {
                    told.push(format!(
                        "{date} has {hour:02}:00 twice; its number is that of both."
                    ));
                }
            }
        }
        told
    }
}

impl Cell {
    /// The number of calls, marked where that is more than the quota.
    fn count(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Unknown => "?".to_owned(),
            Self::Calls { calls: 0, .. } => ".".to_owned(),
            Self::Calls { calls, heat } if heat.is_over() => format!("!{calls}"),
            Self::Calls { calls, .. } => calls.to_string(),
        }
    }

    /// The share of the quota.
    fn tenths(self) -> char {
        match self {
            Self::Absent => ' ',
            Self::Unknown => '?',
            Self::Calls { heat, .. } => heat.digit(),
        }
    }

    /// The same with another pass of the hour.
    fn and(self, load: &Load) -> Self {
        match (self, load.calls) {
            (Self::Unknown, _) | (_, None) => Self::Unknown,
            (Self::Absent, Some(calls)) => Self::Calls {
                calls,
                heat: Heat::of(calls, load.share),
            },
            (Self::Calls { calls, heat }, Some(more)) => {
                let other = Heat::of(more, load.share);
                let heat = match (heat, other) {
                    (Heat::Share(a), Heat::Share(b)) => Heat::Share(a.max(b)),
                    (Heat::None, other) => other,
                    (heat, _) => heat,
                };
                Self::Calls {
                    calls: calls + more,
                    heat,
                }
            }
        }
    }
}

/// The calls of a day: `120`, `>60` where some hours of it are not known, `?` where none is.
fn total(cells: &[Cell; 24]) -> String {
    let known = |cell: &Cell| match cell {
        Cell::Calls { calls, .. } => Some(*calls),
        Cell::Absent | Cell::Unknown => None,
    };
    let calls: u64 = cells.iter().filter_map(known).sum();
    match (cells.contains(&Cell::Unknown), calls) {
        (false, calls) => calls.to_string(),
        (true, 0) => "?".to_owned(),
        (true, calls) => format!(">{calls}"),
    }
}

fn header(layout: Layout) -> String {
    let lead = layout.label() + usize::from(!layout.apart);
    let width = layout.cell() + usize::from(layout.apart);
    let mut text = " ".repeat(lead);
    for hour in 0..24 {
        let end = lead + (hour + 1) * width;
        if layout.count.is_some() {
            text.push_str(&format!("{:>width$}", format!("{hour:02}")));
        } else if hour % 6 == 0 {
            // Without blanks between the hours it reaches over the next.
            text.push_str(&format!("{hour:02}"));
        } else {
            text.push_str(&" ".repeat(end.saturating_sub(text.len())));
        }
    }
    text.push_str(&format!("  {TOTAL:>0$}", layout.total));
    text
}

fn line(layout: Layout, date: Date, cells: &[Cell; 24], total: &str, colored: bool) -> String {
    let label = if layout.weekdays { "%a %e" } else { "%e" };
    let mut text = date.strftime(label).to_string();
    if !layout.apart {
        text.push(' ');
    }
    for cell in cells {
        text.push_str(&shown(layout, *cell, colored));
    }
    text.push_str(&format!("  {total:>0$}", layout.total));
    text
}

fn shown(layout: Layout, cell: Cell, colored: bool) -> String {
    let body = match layout.count {
        Some(_) => cell.count(),
        None => cell.tenths().to_string(),
    };
    let blank = if layout.apart { " " } else { "" };
    let text = format!("{blank}{body:>0$}", layout.cell());
    match cell {
        Cell::Calls { heat, .. } if colored => paint(heat, &text),
        _ => text,
    }
}

fn paint(heat: Heat, text: &str) -> String {
    format!("\u{1b}[{}m{text}\u{1b}[0m", heat.color())
}

/// What the colours mean.
fn scale() -> String {
    let steps = [
        (0.25, " to 25 % "),
        (0.5, " to 50 % "),
        (0.75, " to 75 % "),
        (1.0, " to 100 % "),
        (2.0, " above "),
    ];
    let step = |(share, text)| paint(Heat::Share(share), text);
    steps.map(step).concat()
}

#[cfg(test)]
mod tests;
