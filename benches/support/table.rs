//! The table of results.

/// What a case came to, round by round.
pub struct Case {
    pub name: String,
    pub reference: String,
    pub ours: Vec<f64>,
    /// Empty where the bounds are absolute.
    pub theirs: Vec<f64>,
    pub floor: f64,
    pub aim: f64,
    pub unit: &'static str,
}

#[derive(Default)]
pub struct Table(Vec<Case>);

pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn spread(figures: &[f64], unit: &str) -> String {
    let (least, most) = figures.iter().fold((f64::MAX, 0.0_f64), |(a, b), x| (a.min(*x), b.max(*x)));
    format!("{least:.0} / {:.0} / {most:.0} {unit}", median(figures))
}

impl Table {
    /// Adds a case and prints it at once.
    pub fn add(&mut self, case: Case) {
        println!("{}", case.line());
        self.0.push(case);
    }

    /// The whole table, as Markdown; says how many floors are missed.
    pub fn print(&self) -> usize {
        println!("\n| case | here (min / median / max) | reference | ratio | floor | aim | |");
        println!("| --- | --- | --- | --- | --- | --- | --- |");
        for case in &self.0 {
            println!("{}", case.line());
        }
        self.0.iter().filter(|case| case.verdict() == "BELOW FLOOR").count()
    }
}

impl Case {
    /// Higher is better for ratios, lower for what has absolute bounds.
    fn figure(&self) -> f64 {
        if self.theirs.is_empty() { median(&self.ours) } else { median(&self.ours) / median(&self.theirs) }
    }

    fn verdict(&self) -> &'static str {
        let (figure, higher) = (self.figure(), !self.theirs.is_empty());
        let reaches = |bound: f64| if higher { figure >= bound } else { figure <= bound };
        match (reaches(self.aim), reaches(self.floor)) {
            (true, _) => "aim",
            (false, true) => "floor",
            (false, false) => "BELOW FLOOR",
        }
    }

    fn line(&self) -> String {
        let (reference, ratio, sign) = if self.theirs.is_empty() {
            (String::new(), String::new(), "≤ ")
        } else {
            let spread = spread(&self.theirs, self.unit);
            (format!("{}: {spread}", self.reference), format!("{:.2} ×", self.figure()), "≥ ")
        };
        let ours = spread(&self.ours, self.unit);
        let (floor, aim) = (self.floor, self.aim);
        format!(
            "| {} | {ours} | {reference} | {ratio} | {sign}{floor} | {sign}{aim} | {} |",
            self.name,
            self.verdict()
        )
    }
}
