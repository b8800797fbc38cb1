//! What is shown of progress.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::measuring::Measurement;
use super::model::{Comparator, CountedFrom, Each, Measure, Period, Target};
use super::reports::views::NamedUnit;
use super::rules::ranking::{self, Ranked};
use super::rules::{self, ForecastBasis, PeriodProgress, RotationKind, Standing, units};
use crate::ids::OrganisationId;

/// A figure of one organisation.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganisationFigure {
    /// Whose.
    pub organisation_id: OrganisationId,
    /// Whose.
    #[schema(max_length = 60, example = "平湖")]
    pub name: String,
    /// How much.
    pub value: i64,
}

/// A figure of one organisation, as a part of the whole and of what it agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharedFigure {
    /// Whose.
    pub organisation_id: OrganisationId,
    /// Whose.
    #[schema(max_length = 60, example = "平湖")]
    pub name: String,
    /// How much.
    pub value: i64,
    /// Of all figures here together, in thousandths by largest remainder: they add up to 1000.
    #[schema(minimum = 0, maximum = 1000)]
    pub part_per_mille: i64,
    /// The share that it agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<i64>,
    /// Its figure by its share, in thousandths, cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_per_mille: Option<i64>,
}

/// A period in which a value was due.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    /// Such as `2025-Q1` or `2025-03`.
    #[schema(max_length = 10)]
    pub label: String,
    /// What was counted in it, or how many units reached the value.
    pub value: i64,
    /// Whether it is over.
    pub over: bool,
    /// Whether the value was reached.
    pub met: bool,
    /// Units that did not reach it.
    #[schema(max_items = 1000)]
    pub failing: Vec<OrganisationFigure>,
    /// Of a target whose host changes: who hosted.
    #[schema(max_items = 1000)]
    pub hosts: Vec<NamedUnit>,
}

/// What was counted in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthView {
    /// Such as `2025-03`.
    #[schema(max_length = 7, example = "2025-03")]
    pub month: String,
    /// In it.
    pub value: i64,
    /// Up to its end.
    pub total: i64,
}

/// A rate as it was in a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnapshotView {
    /// Such as `2025-03`.
    #[schema(max_length = 7, example = "2025-03")]
    pub month: String,
    /// Of how many it holds.
    pub numerator: i64,
    /// Of how many.
    pub denominator: i64,
    /// How much the denominator has moved since the snapshot before.
    pub denominator_moved: i64,
    /// The rate in thousandths, cut off.
    pub per_mille: i64,
    /// How many units reported it.
    pub units: i64,
    /// Whether the target's value was reached.
    pub holds: bool,
}

/// What comes of a target at the end of the year.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForecastView {
    /// What it rests on.
    pub basis: ForecastBasis,
    /// From here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<i64>,
    /// To here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<i64>,
    /// The shorter time that it looks back, in days.
    pub short_days: i64,
    /// What was counted in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_short: Option<i64>,
    /// The longer time that it looks back, in days.
    pub long_days: i64,
    /// What was counted in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_long: Option<i64>,
}

/// How much of a figure rests on which grade of evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// Self-scan in place.
    pub a: i64,
    /// Scanned by staff, a signed sheet, or a report with papers that its lead departments have seen.
    pub b: i64,
    /// A code, or remote.
    pub c: i64,
    /// A headcount.
    pub d: i64,
    /// The share of A and B in thousandths, cut off; absent where nothing was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_per_mille: Option<i64>,
    /// Which share must be A or B, in hundredths; absent where the target demands none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demanded_percent: Option<i64>,
    /// Whether less of it is good than the target demands: then it is not met, whatever its value.
    pub short: bool,
}

/// One part of a composite target.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartView {
    /// What it must reach.
    pub required: i64,
    /// What it has.
    pub value: i64,
    /// Whether it is reached.
    pub met: bool,
}

/// Which units of a fixed list are covered.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageView {
    /// Those that are.
    #[schema(max_items = 1000)]
    pub covered: Vec<NamedUnit>,
    /// Those that are not.
    #[schema(max_items = 1000)]
    pub missing: Vec<NamedUnit>,
}

/// Somebody who hosted out of turn.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotationView {
    /// In which period.
    #[schema(max_length = 10, example = "2025-Q2")]
    pub label: String,
    /// Who.
    pub host: NamedUnit,
    /// How.
    pub kind: RotationKind,
}

/// How far a target is.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetProgress {
    /// Such as `07a`.
    #[schema(max_length = 10)]
    pub code: String,
    /// The plan's own words.
    #[schema(max_length = 400)]
    pub clause: String,
    /// What is counted.
    pub measure: Measure,
    /// When it is met.
    pub comparator: Comparator,
    /// As the plan writes it.
    #[schema(max_length = 20)]
    pub unit: String,
    /// Units that must each reach the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// Over which time the value is due.
    pub period: Period,
    /// Where the figure comes from.
    pub counted_from: CountedFrom,
    /// The plan's value.
    pub target_value: i64,
    /// The upper end of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper: Option<i64>,
    /// What was reached. Of a rate, whole hundredths of its latest snapshot, cut off.
    pub value: i64,
    /// What must be reached: the plan's value, or the number of units, or of periods.
    pub required: i64,
    /// What the calendar asks for by now: evenly over the year, or by the months' weights where the plan is seasonal.
    pub expected_by_now: i64,
    /// Hundredths, rounded down.
    pub percent: i64,
    /// Thousandths, cut off and never rounded up: 1000 is reached, and nothing less is.
    pub per_mille: i64,
    /// Where it stands.
    pub standing: Standing,
    /// What comes of it at the rate of the last weeks.
    pub forecast: ForecastView,
    /// The target that must be met together with this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 10)]
    pub pair: Option<String>,
    /// Where the pair stands: where its weaker half does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_standing: Option<Standing>,
    /// Figures by sub-district (or station), largest first.
    #[schema(max_items = 1000)]
    pub by_organisation: Vec<SharedFigure>,
    /// Of a count of people: how much the figures above add up to more than the district's.
    pub overlap: i64,
    /// Of a value that is due in each of several periods.
    #[schema(max_items = 12)]
    pub periods: Vec<PeriodView>,
    /// By month, as far as anything was counted.
    #[schema(max_items = 1000)]
    pub months: Vec<MonthView>,
    /// What shows the figure.
    pub evidence: EvidenceView,
    /// Of a rate: month by month.
    #[schema(max_items = 1000)]
    pub snapshots: Vec<SnapshotView>,
    /// Of a composite target: each part by itself, in the plan's order.
    #[schema(max_items = 20)]
    pub parts: Vec<PartView>,
    /// Of a target that covers a fixed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<CoverageView>,
    /// Of a target whose host changes: who hosted twice running, or again before others.
    #[schema(max_items = 100)]
    pub rotation: Vec<RotationView>,
    /// Where the lines behind the figure are.
    #[schema(max_length = 200)]
    pub lines_url: String,
}

/// A sub-district in a ranking.
#[derive(Debug, Serialize, ToSchema)]
pub struct RankedView {
    /// Whose.
    pub organisation_id: OrganisationId,
    /// Whose.
    #[schema(max_length = 60, example = "平湖街道")]
    pub name: String,
    /// Its figure; absent where it is too small to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// Whether its figure is too small to be shown.
    pub hidden: bool,
    /// The share that it agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<i64>,
    /// Its figure by its share, in thousandths, cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_per_mille: Option<i64>,
    /// Its place by figure. Who has as much has the same place, and the places after it are left out: 1, 2, 2, 4.
    #[schema(minimum = 1)]
    pub rank_by_value: i64,
    /// Its place by rate, among those that have a share; by the same rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub rank_by_share: Option<i64>,
}

fn month(day: NaiveDate) -> String {
    day.format("%Y-%m").to_string()
}

impl Measurement {
    fn name(&self, id: OrganisationId) -> String {
        self.organisations.get(&id).map(|row| row.short_name.clone()).unwrap_or_default()
    }

    fn named(&self, ids: &[OrganisationId]) -> Vec<NamedUnit> {
        ids.iter().map(|id| NamedUnit { organisation_id: *id, name: self.name(*id) }).collect()
    }

    fn share(&self, target: &Target, unit: OrganisationId) -> Option<i64> {
        self.agreed.get(&target.id)?.get(&unit).copied()
    }

    fn shared(&self, target: &Target, figures: &[(OrganisationId, i64)]) -> Vec<SharedFigure> {
        let mut figures = figures.to_vec();
        // Who agreed to a share and has nothing yet is shown with it.
        for unit in self.agreed.get(&target.id).into_iter().flat_map(|shares| shares.keys()) {
            if figures.iter().all(|(id, _)| id != unit) {
                figures.push((*unit, 0));
            }
        }
        figures.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let parts = ranking::parts_per_mille(&figures.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        figures
            .into_iter()
            .zip(parts)
            .map(|((id, value), part_per_mille)| {
                let share = self.share(target, id);
                let share_per_mille =
                    share.filter(|share| *share > 0).map(|share| rules::per_mille(value, share));
                SharedFigure {
                    organisation_id: id,
                    name: self.name(id),
                    value,
                    part_per_mille,
                    share,
                    share_per_mille,
                }
            })
            .collect()
    }

    fn period(&self, period: &PeriodProgress, rotates: bool) -> PeriodView {
        let figure = |(id, value): &(OrganisationId, i64)| OrganisationFigure {
            organisation_id: *id,
            name: self.name(*id),
            value: *value,
        };
        PeriodView {
            label: period.label.clone(),
            value: period.value,
            over: period.over,
            met: period.met,
            failing: period.failing.iter().map(figure).collect(),
            hosts: if rotates { self.named(&period.hosts) } else { Vec::new() },
        }
    }

    /// How far a target is, as it is shown.
    pub fn target_view(&self, target: &Target) -> Option<TargetProgress> {
        let own = self.of(target)?;
        let (forecast, evidence) = (&own.forecast, &own.evidence);
        Some(TargetProgress {
            code: target.code.clone(),
            clause: target.clause.clone(),
            measure: target.measure,
            comparator: target.comparator,
            unit: target.unit.clone(),
            each: target.each,
            period: target.period,
            counted_from: target.counted_from,
            target_value: target.value,
            upper: target.upper,
            value: own.value,
            required: own.required,
            expected_by_now: own.expected,
            percent: own.per_mille / 10,
            per_mille: own.per_mille,
            standing: own.standing,
            forecast: ForecastView {
                basis: forecast.basis,
                low: forecast.low,
                high: forecast.high,
                short_days: self.thresholds.short,
                counted_short: forecast.counted.map(|(short, _)| short),
                long_days: self.thresholds.long,
                counted_long: forecast.counted.map(|(_, long)| long),
            },
            pair: target.pair.clone(),
            pair_standing: self.pair_standing(target),
            by_organisation: self.shared(target, &own.by_organisation),
            overlap: own.overlap,
            periods: own.periods.iter().map(|period| self.period(period, target.rotates)).collect(),
            months: own
                .months
                .iter()
                .map(|one| MonthView { month: month(one.month), value: one.value, total: one.total })
                .collect(),
            evidence: EvidenceView {
                a: evidence.a,
                b: evidence.b,
                c: evidence.c,
                d: evidence.d,
                good_per_mille: evidence.good_per_mille(),
                demanded_percent: evidence.demanded,
                short: evidence.is_short(),
            },
            snapshots: own
                .snapshots
                .iter()
                .map(|one| SnapshotView {
                    month: month(one.month),
                    numerator: one.numerator,
                    denominator: one.denominator,
                    denominator_moved: one.moved,
                    per_mille: one.per_mille(),
                    units: one.units,
                    holds: one.holds,
                })
                .collect(),
            parts: own
                .parts
                .iter()
                .map(|one| PartView {
                    required: one.required,
                    value: one.value,
                    met: one.value >= one.required,
                })
                .collect(),
            coverage: own.coverage.as_ref().map(|one| CoverageView {
                covered: self.named(&one.covered),
                missing: self.named(&one.missing),
            }),
            rotation: own
                .rotation
                .iter()
                .map(|one| RotationView {
                    label: one.label.clone(),
                    host: NamedUnit { organisation_id: one.host, name: self.name(one.host) },
                    kind: one.kind,
                })
                .collect(),
            lines_url: format!("/api/v1/plans/{}/targets/{}/lines", self.plan.year, target.code),
        })
    }

    /// The sub-districts in the order of how far they are with a target; all of them, also those that have nothing.
    pub fn ranking(&self, target: &Target) -> Vec<Ranked> {
        let value = |street: OrganisationId| {
            let figures = self.of(target).map(|own| own.by_organisation.as_slice()).unwrap_or_default();
            figures.iter().find(|(id, _)| *id == street).map_or(0, |(_, value)| *value)
        };
        let figures: Vec<_> = units::streets(&self.organisations)
            .into_iter()
            .map(|street| (street, value(street), self.share(target, street)))
            .collect();
        ranking::rank(target.measure, self.thresholds.small, &figures)
    }

    /// [`Self::ranking`] as it is shown.
    pub fn ranking_view(&self, target: &Target) -> Vec<RankedView> {
        self.ranking(target)
            .into_iter()
            .map(|one| RankedView {
                name: self.name(one.organisation),
                organisation_id: one.organisation,
                hidden: one.value.is_none(),
                value: one.value,
                share: one.share,
                share_per_mille: one.rate_per_mille,
                rank_by_value: one.by_value,
                rank_by_share: one.by_rate,
            })
            .collect()
    }
}
