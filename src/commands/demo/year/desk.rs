//! Visits, reported figures, audits, closing and restating.

use chrono::{Days, NaiveDate};
use serde_json::json;

use super::super::client::{field, id};
use super::super::{Outcome, name};
use super::compare::rows;
use super::events::{Figure, Report, Visits, YEAR, leads};
use super::play::{Player, approve, decide, phone};

/// Where months are closed.
fn period(month: u32) -> String {
    format!("/api/v1/plans/{YEAR}/periods/{month:02}")
}

impl Player<'_> {
    /// A hospital's list is taken in, and everybody on it is visited.
    pub(super) async fn visit(&mut self, day: NaiveDate, visits: &Visits) -> Outcome<()> {
        let (organiser, gate) = (self.user("organiser").await?, self.user("gate").await?);
        let before = |days: u64| day.checked_sub_days(Days::new(days)).unwrap_or(day);
        let mut list = "name,phone,hospital,injured_on,admitted_on,injury\r\n".to_owned();
        for visit in &visits.made {
            let (name, phone) = (name(visit.worker), phone(visit.worker));
            list += &format!("{name},{phone},示例区人民医院,{},{},左手骨折\r\n", before(9), before(8));
        }
        let path = format!("/api/v1/injury-imports?organisation={}", self.organisation(visits.street)?);
        let taken = organiser.post_file(&path, "text/csv", list.as_bytes()).await?;
        if field(&taken, "written") != true {
            return Err(format!("名单有误 / the list is wrong: {taken}"));
        }
        let mut sessions: Vec<String> = Vec::new();
        for (visit, row) in visits.made.iter().zip(rows(&taken, "rows")) {
            let injury = field(row, "injury_id").as_str().ok_or("no injury")?;
            let mut body = json!({ "visited_on": day, "told": ["rights"] });
            if let (true, Some(fields)) = (visit.gift, body.as_object_mut()) {
                fields.insert("gift".into(), json!({ "kind": "goods", "text": "牛奶", "amount_fen": 5000 }));
            }
            let made = gate.post(&format!("/api/v1/injuries/{injury}/visits"), &body).await?;
            self.visits.insert(visit.worker, id(&made)?);
            sessions.extend(field(&made, "session_id").as_str().map(ToOwned::to_owned));
        }
        sessions.dedup();
        for session in sessions {
            gate.post(&format!("/api/v1/sessions/{session}/finalisations"), &json!({})).await?;
        }
        Ok(())
    }

    /// A visit is taken back.
    pub(super) async fn undo_visit(&mut self, worker: u32) -> Outcome<()> {
        let visit = self.visits.get(&worker).ok_or("nobody was visited")?;
        let path = format!("/api/v1/visits/{visit}/undoings");
        self.user("organiser").await?.post(&path, &json!({ "reason": "登记错误" })).await.map(|_| ())
    }

    /// The legal service stations that a unit opens, which its figure is held against.
    async fn open_stations(&mut self, report: &Report, parts: &[i64]) -> Outcome<()> {
        let admin = self.user("admin").await?;
        let keeper = self.organisation(report.unit)?.to_owned();
        for (kind, count) in ["centre", "community", "workplace"].into_iter().zip(parts) {
            for number in 1..=*count {
                let body = json!({
                    "kind": kind, "organisation_id": keeper,
                    "name": format!("demo-{kind}-{}-{number}", report.month), "address": "示例路1号",
                    "opened_on": format!("{YEAR}-{:02}-01", report.month),
                });
                admin.post("/api/v1/legal-stations", &body).await?;
            }
        }
        Ok(())
    }

    /// A unit reports, and the lead departments sign or refuse.
    pub(super) async fn report(&mut self, report: &Report) -> Outcome<()> {
        if let Figure::Parts(parts) = &report.figure {
            self.open_stations(report, parts).await?;
        }
        let planner = self.user("planner").await?;
        let evidence = self.evidence(&planner).await?;
        let mut body = json!({
            "unit_id": self.organisation(report.unit)?, "month": format!("{YEAR}-{:02}", report.month),
            "note": "名单见附件", "evidence": [evidence],
        });
        let figure = match &report.figure {
            Figure::Value(value) => vec![("value", json!(value))],
            Figure::Ratio(holds, of) => vec![("numerator", json!(holds)), ("denominator", json!(of))],
            Figure::Parts(parts) => vec![("parts", json!(parts))],
            Figure::Covered(units) => {
                let units = units.iter().map(|unit| self.organisation(unit));
                vec![("covered", json!(units.collect::<Outcome<Vec<_>>>()?))]
            }
        };
        if let Some(fields) = body.as_object_mut() {
            fields.extend(figure.into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        let path = format!("/api/v1/plans/{YEAR}/targets/{}/reports", report.code);
        let made = planner.post(&path, &body).await?;
        for department in leads(report.code) {
            let signer = self.signer(department).await?;
            if !report.approved {
                let no = json!({ "decision": "reject", "reasons": ["figure_unproven"] });
                return decide(&signer, &made, &no).await;
            }
            approve(&signer, &made).await?;
        }
        Ok(())
    }

    /// A month is closed: what nobody came to is said, then the sub-districts close their part, then two officers.
    pub(super) async fn close(&mut self, month: u32) -> Outcome<()> {
        let (admin, planner) = (self.user("admin").await?, self.user("planner").await?);
        let period = period(month);
        for item in rows(&admin.get(&format!("{period}/checklist")).await?, "items") {
            if field(item, "kind") == "session_unfinalised" {
                let path = format!("/api/v1/sessions/{}/finalisations", id(item)?);
                admin.post(&path, &json!({})).await?;
            }
        }
        for street in rows(&admin.get(&period).await?, "streets") {
            let body = json!({ "organisation_id": field(street, "organisation_id") });
            admin.post(&format!("{period}/street-closings"), &body).await?;
        }
        planner.post(&format!("{period}/closings"), &json!({})).await?;
        let closed = admin.post(&format!("{period}/closing-decisions"), &json!({ "agree": true })).await?;
        match field(&closed, "state").as_str() {
            Some("hard") => Ok(()),
            _ => Err(format!("{month} 月未结账 / the month is not closed: {closed}")),
        }
    }

    /// A crowd of a closed month is told late.
    pub(super) async fn late_crowd(&mut self, meeting: usize, number: i64) -> Outcome<()> {
        // The department that holds it is of no sub-district.
        self.crowd(meeting, 0, ("dept-rights", number)).await
    }

    /// A closed month is restated, by two officers.
    pub(super) async fn restate(&mut self, month: u32) -> Outcome<()> {
        let (admin, planner) = (self.user("admin").await?, self.user("planner").await?);
        let why = json!({ "reason": "材料迟交", "evidence": "签领单与照片" });
        let made = planner.post(&format!("{}/restatements", period(month)), &why).await?;
        let path = format!("/api/v1/restatements/{}/decisions", id(&made)?);
        admin.post(&path, &json!({ "agree": true })).await.map(|_| ())
    }

    /// The headcounts of a quarter are drawn, and of one of them fewer can be shown.
    pub(super) async fn audit(
        &mut self,
        (street, quarter): (&str, u32),
        meeting: usize,
        found: i64,
    ) -> Outcome<()> {
        const SAMPLES: &str = "/api/v1/headcount-samples";
        let (auditor, reviewer) = (self.user("auditor").await?, self.user("reviewer").await?);
        let body = json!({ "organisation_id": self.organisation(street)?, "year": YEAR, "quarter": quarter });
        let sample = auditor.post(SAMPLES, &body).await?;
        auditor.post(&format!("{SAMPLES}/{}/draws", id(&sample)?), &json!({})).await?;
        let counted = self.meetings.get(&meeting).and_then(|made| made.headcounts.get(&0));
        let path = format!("/api/v1/headcounts/{}/findings", counted.ok_or("nobody was counted")?);
        let finding = auditor.post(&path, &json!({ "found": found, "note": "照片与签领单可核对" })).await?;
        approve(&reviewer, &finding).await
    }
}
