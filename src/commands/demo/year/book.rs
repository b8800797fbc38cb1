//! What counts, entry by entry: a closed month takes nothing more until it is restated.

use std::collections::{BTreeMap, BTreeSet};

/// What an entry comes from: what kind of thing, and which.
pub(super) type Source = (&'static str, String);

/// So much for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) target: &'static str,
    /// Whose figure.
    pub(super) organisation: String,
    pub(super) month: u32,
    pub(super) quantity: i64,
    pub(super) source: Source,
    /// Of what counts once inside its target: what it is.
    pub(super) once: Option<String>,
}

enum Change {
    Add(Entry),
    Drop(Source),
}

/// Sums by target and whose figure it is.
pub(super) type Sums = BTreeMap<(String, String), i64>;

#[derive(Default)]
pub(super) struct Book {
    entries: Vec<Entry>,
    closed: BTreeSet<u32>,
    waiting: BTreeMap<u32, Vec<Change>>,
}

impl Book {
    pub(super) fn add(&mut self, entry: Entry) {
        if self.closed.contains(&entry.month) {
            self.waiting.entry(entry.month).or_default().push(Change::Add(entry));
        } else {
            self.write(entry);
        }
    }

    fn write(&mut self, entry: Entry) {
        let told = |other: &Entry| other.target == entry.target && other.once == entry.once;
        if entry.once.is_none() || !self.entries.iter().any(told) {
            self.entries.push(entry);
        }
    }

    /// Takes back everything that came from `source` in `month`.
    pub(super) fn drop(&mut self, month: u32, source: &Source) {
        if self.closed.contains(&month) {
            self.waiting.entry(month).or_default().push(Change::Drop(source.clone()));
        } else {
            self.entries.retain(|entry| entry.source != *source);
        }
    }

    pub(super) fn close(&mut self, month: u32) {
        self.closed.insert(month);
    }

    pub(super) fn restate(&mut self, month: u32) {
        for change in self.waiting.remove(&month).unwrap_or_default() {
            match change {
                Change::Add(entry) => self.write(entry),
                Change::Drop(source) => self.entries.retain(|entry| entry.source != source),
            }
        }
    }

    /// The figures of a month.
    pub(super) fn month(&self, month: u32) -> Sums {
        let mut sums = Sums::new();
        for entry in self.entries.iter().filter(|entry| entry.month == month) {
            let key = (entry.target.to_owned(), entry.organisation.clone());
            *sums.entry(key).or_default() += entry.quantity;
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }

    pub(super) fn of<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.target == target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(month: u32, quantity: i64, once: Option<&str>) -> Entry {
        Entry {
            target: "03b",
            organisation: "street-buji".into(),
            month,
            quantity,
            source: ("crowd", format!("{month}/{quantity}")),
            once: once.map(ToOwned::to_owned),
        }
    }

    fn sum(book: &Book) -> i64 {
        book.of("03b").map(|entry| entry.quantity).sum()
    }

    #[test]
    fn a_closed_month_waits_for_its_restatement() {
        let mut book = Book::default();
        book.add(entry(1, 3, None));
        book.add(entry(2, 5, None));
        book.close(1);
        book.add(entry(1, 10, None));
        book.drop(1, &entry(1, 3, None).source);
        assert_eq!((sum(&book), book.month(1).into_values().sum::<i64>()), (8, 3));
        book.restate(1);
        assert_eq!((sum(&book), book.month(1).into_values().sum::<i64>()), (15, 10));
    }

    #[test]
    fn what_counts_once_counts_once() {
        let mut book = Book::default();
        for month in [1, 2] {
            book.add(entry(month, 1, Some("zhang")));
        }
        book.add(entry(2, 1, Some("li")));
        assert_eq!(sum(&book), 2);
    }
}
