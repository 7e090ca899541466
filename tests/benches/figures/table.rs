//! What was measured beside what was to be reached, as plain text.

/// Rows in the order in which they were measured.
#[derive(Default)]
pub struct Table(Vec<[String; 4]>);

impl Table {
    /// A figure that must stay below a bound.
    pub fn below(&mut self, what: impl Into<String>, measured: f64, bound: f64, unit: &str) {
        let verdict = if measured < bound { "met" } else { "NOT MET" };
        self.row(what, format!("{} {unit}", number(measured)), format!("under {} {unit}", number(bound)), verdict);
    }

    /// A figure that must reach a bound.
    pub fn at_least(&mut self, what: impl Into<String>, measured: f64, bound: f64, unit: &str) {
        let verdict = if measured >= bound { "met" } else { "NOT MET" };
        let (measured, bound) = (format!("{} {unit}", number(measured)), format!("at least {} {unit}", number(bound)));
        self.row(what, measured.trim_end(), bound.trim_end(), verdict);
    }

    /// A figure that must be exactly this.
    pub fn exactly(&mut self, what: impl Into<String>, measured: usize, wanted: usize, unit: &str) {
        let verdict = if measured == wanted { "met" } else { "NOT MET" };
        self.row(what, format!("{measured} {unit}"), format!("{wanted} {unit}"), verdict);
    }

    /// A figure for which nothing is to be reached.
    pub fn shown(&mut self, what: impl Into<String>, measured: f64, unit: &str) {
        self.row(what, format!("{} {unit}", number(measured)), "", "");
    }

    fn row(&mut self, what: impl Into<String>, measured: impl Into<String>, reach: impl Into<String>, verdict: &str) {
        let row = [what.into(), measured.into(), reach.into(), verdict.to_owned()];
        eprintln!("  {}: {}", row[0], row[1]);
        self.0.push(row);
    }

    /// Says why something was not measured.
    pub fn missing(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.row(what, "not measured", why, "");
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = ["what", "measured", "to reach", ""].map(str::to_owned);
        let rows: Vec<&[String; 4]> = std::iter::once(&head).chain(&self.0).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [what, measured, reach] = [0, 1, 2].map(width);
        for row in rows {
            let line = format!("{:<what$}  {:>measured$}  {:<reach$}  {}", row[0], row[1], row[2], row[3]);
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    let digits = if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}
