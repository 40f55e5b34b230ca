//! The figures of a run: one table for people, the same as CSV, and a plot of the ratios.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    /// Of what, and how large.
    ratio: Option<(String, f64)>,
}

pub struct Table {
    rows: Vec<Row>,
    /// Records per second of the bare drain, once it is known: what most rows are compared to.
    pub drain: Option<f64>,
}

impl Table {
    pub fn new() -> Table {
        Table { rows: Vec::new(), drain: None }
    }

    pub fn row(&mut self, what: impl Into<String>, figure: f64, unit: &'static str) {
        self.push(what.into(), figure, unit, None);
    }

    /// A row with its ratio to another figure, which `of` names.
    pub fn compared(
        &mut self,
        what: impl Into<String>,
        figure: f64,
        unit: &'static str,
        of: &str,
        other: f64,
    ) {
        self.push(what.into(), figure, unit, Some((of.to_owned(), figure / other)));
    }

    /// A rate beside the bare drain, if that was measured.
    pub fn beside_drain(&mut self, what: impl Into<String>, figure: f64, unit: &'static str) {
        let ratio = self.drain.map(|drain| ("drain".to_owned(), figure / drain));
        self.push(what.into(), figure, unit, ratio);
    }

    fn push(
        &mut self,
        what: String,
        figure: f64,
        unit: &'static str,
        ratio: Option<(String, f64)>,
    ) {
        let row = Row { what, figure, unit, ratio };
        eprintln!("{}", row.line());
        self.rows.push(row);
    }

    pub fn text(&self, told: &str) -> String {
        let mut text = format!("\n{told}\n\n");
        for row in &self.rows {
            writeln!(text, "{}", row.line()).unwrap();
        }
        text
    }

    /// Writes `target/bench/side_by_side.csv` and `.svg`.
    pub fn write(&self, told: &str) -> [PathBuf; 2] {
        let folder = crate::stage::root().join("target/bench");
        fs::create_dir_all(&folder).expect("target/bench can be made");
        let paths = ["csv", "svg"].map(|end| folder.join(format!("side_by_side.{end}")));
        for (path, bytes) in paths.iter().zip([self.csv(), self.svg(told)]) {
            fs::write(path, bytes).expect("target/bench can be written");
        }
        paths
    }

    fn csv(&self) -> String {
        let mut csv = "what,figure,unit,ratio_to,ratio\n".to_owned();
        for row in &self.rows {
            let (of, ratio) = row
                .ratio
                .as_ref()
                .map_or_else(Default::default, |(of, ratio)| (of.clone(), format!("{ratio:.4}")));
            let Row { what, figure, unit, .. } = row;
            writeln!(csv, "\"{what}\",{figure:.3},{unit},{of},{ratio}").unwrap();
        }
        csv
    }

    /// A bar for each rate beside the drain.
    fn svg(&self, told: &str) -> String {
        const BAR: usize = 22;
        let of_drain = |row: &&Row| row.ratio.as_ref().is_some_and(|(of, _)| of == "drain");
        let rows: Vec<&Row> = self.rows.iter().filter(of_drain).collect();
        let height = 60 + BAR * rows.len();
        let widest = rows.iter().filter_map(|row| row.ratio.as_ref()).map(|(_, ratio)| *ratio);
        let scale = 420.0 / widest.fold(1.0, f64::max);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"10\" y=\"20\" font-weight=\"bold\">events per second, bare drain = 1</text>\n\
             <text x=\"10\" y=\"38\" fill=\"#666\">{}</text>\n",
            escaped(told)
        );
        for (at, row) in rows.iter().enumerate() {
            let ratio = row.ratio.as_ref().map_or(0.0, |(_, ratio)| *ratio);
            let (y, width) = (50 + BAR * at, (ratio * scale).max(1.0));
            writeln!(
                svg,
                "<text x=\"330\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
                 <rect x=\"340\" y=\"{y}\" width=\"{width:.0}\" height=\"{}\" fill=\"#3b6ea5\"/>\n\
                 <text x=\"{:.0}\" y=\"{}\">{ratio:.2}</text>",
                y + 13,
                escaped(&row.what),
                BAR - 6,
                346.0 + width,
                y + 13,
            )
            .unwrap();
        }
        svg + "</svg>\n"
    }
}

impl Row {
    fn line(&self) -> String {
        let ratio = self.ratio.as_ref().map(|(of, ratio)| format!("{ratio:>9.3} of {of}"));
        let Row { what, figure, unit, .. } = self;
        let figure = if *figure < 100.0 { format!("{figure:.2}") } else { thousands(*figure) };
        format!("{what:<58}{figure:>14} {unit:<10}{}", ratio.unwrap_or_default())
    }
}

fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The middle one of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A share of sorted figures lies below this one.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}
