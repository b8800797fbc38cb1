//! I14 over generated histories of everything that a team and an applicant may do to a case, in any order, by anybody of it, with and
//! without words, and of whoever tries to pass the rules by: never closed without a report, never refused or terminated without written
//! reasons and how to object.
//!
//! Each history is told in a transaction that is rolled back, and each act in a savepoint of it. `UNIONHALL_HISTORIES=10000` for more.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use unionhall::clock::{Clock, ManualClock, SharedClock};
use unionhall::content::checking::Checks;
use unionhall::error::{Code, Error, Result};
use unionhall::ids::{CaseDocumentId, CaseId, FileId, PersonId};
use unionhall::legal_aid::acting::act_in_tx;
use unionhall::legal_aid::closing::acts::{self as ending, Report};
use unionhall::legal_aid::closing::model::CaseResult;
use unionhall::legal_aid::closing::store as reports;
use unionhall::legal_aid::deciding::acts::{self as deciding, Acting};
use unionhall::legal_aid::deciding::reasons::RefusalReason;
use unionhall::legal_aid::deciding::supplements::Wanted;
use unionhall::legal_aid::machine::Act;
use unionhall::legal_aid::model::{Case, CaseState, Ground, TeamRole};
use unionhall::legal_aid::papers::model::{Block, CaseDocument, DocumentKind, Paper};
use unionhall::legal_aid::{LegalTools, asking, clocks, papers, store};
use unionhall::notify::beside::Beside;
use unionhall::plan::cases::PlanCaseCounting;
use unionhall::platform::db::schema::{legal_decisions, legal_events};
use unionhall::platform::db::{Conn, Engine};

use super::planting::{join, planted};
use crate::access::staff_of;
use crate::harness::{Test, TestApp};

const PARTS: u64 = 4;

macro_rules! parts {
    ($($name:ident = $part:expr),*) => {
        pub const TESTS: &[Test] = tests![$($name),*];
        $(async fn $name(app: TestApp) {
            no_end_without_its_paper(app, $part).await;
        })*
    };
}

parts!(
    no_case_ends_without_its_paper_1 = 0,
    no_case_ends_without_its_paper_2 = 1,
    no_case_ends_without_its_paper_3 = 2,
    no_case_ends_without_its_paper_4 = 3
);

const STEPS: usize = 16;

fn histories(engine: Engine) -> u64 {
    let wanted = std::env::var("UNIONHALL_HISTORIES").ok().and_then(|n| n.parse().ok());
    wanted.unwrap_or(if engine == Engine::Sqlite { 400 } else { 120 })
}

/// A request at a desk, and everybody of it.
#[derive(Clone)]
struct Place {
    case: CaseId,
    applicant: PersonId,
    handler: PersonId,
    deputy: PersonId,
    lawyer: PersonId,
    stranger: PersonId,
}

impl Place {
    async fn set(app: &TestApp) -> Self {
        let applicant = app.worker("zhang").await.person();
        let handler = staff_of(app, "handler", "legal_officer", "street-pinghu").await.person();
        let deputy = staff_of(app, "deputy", "legal_officer", "street-pinghu").await.person();
        let lawyer = staff_of(app, "lawyer", "legal_lawyer", "street-pinghu").await.person();
        let stranger = staff_of(app, "stranger", "legal_officer", "street-pinghu").await.person();
        let case = planted(app, applicant, "street-pinghu", |case| case).await.id;
        join(app, case, handler, TeamRole::Handler).await;
        join(app, case, deputy, TeamRole::Deputy).await;
        Self { case, applicant, handler, deputy, lawyer, stranger }
    }
}

async fn no_end_without_its_paper(app: TestApp, part: u64) {
    let place = Place::set(&app).await;
    let (db, number) = (app.db().clone(), histories(app.engine()));
    let (ids, vault, start) = (app.ids().clone(), app.app().platform().vault.clone(), app.now());
    let met = tokio::task::spawn_blocking(move || {
        let mut met: BTreeMap<String, u64> = BTreeMap::new();
        for seed in (0..number).filter(|seed| seed % PARTS == part) {
            let clock = Arc::new(ManualClock::at(start));
            let tools = LegalTools {
                clock: Arc::clone(&clock) as SharedClock,
                ids: ids.clone(),
                vault: vault.clone(),
                counting: Arc::new(PlanCaseCounting { ids: ids.clone() }),
                checks: Checks::new(ids.clone(), true),
            };
            let mut history = History {
                place: &place,
                rng: StdRng::seed_from_u64(seed),
                seed,
                clock,
                tools,
                bypassed: false,
                said: "",
                has_reported: false,
            };
            let rolled_back = db.write_blocking(|conn| {
                for what in history.tell(conn)? {
                    *met.entry(what).or_default() += 1;
                }
                Err::<(), Error>(Error::new(Code::Conflict))
            });
            let error = rolled_back.unwrap_err();
            assert_eq!(error.code(), Code::Conflict, "seed {seed}: {error}");
        }
        met
    })
    .await
    .unwrap();
    // A few histories need not meet everything.
    for wanted in
        ["closed", "refused", "terminated", "withdrawn", "annulled", "close: refused", "bypass: refused"]
    {
        assert!(number < 400 || met.contains_key(wanted), "{wanted} never happened: {met:?}");
    }
}

struct History<'a> {
    place: &'a Place,
    rng: StdRng,
    seed: u64,
    clock: Arc<ManualClock>,
    tools: LegalTools,
    /// Whether an act was done without what belongs to it, after which what follows may miss it.
    bypassed: bool,
    /// What the last act said.
    said: &'static str,
    /// Whether somebody has written a report.
    has_reported: bool,
}

impl History<'_> {
    /// What happened, and how it ended.
    fn tell(&mut self, conn: &mut Conn) -> Result<Vec<String>> {
        let mut met = Vec::new();
        for step in 0..STEPS {
            self.clock.advance(TimeDelta::minutes(1));
            let before = store::get(conn, self.place.case)?;
            conn.batch_execute("SAVEPOINT one_act")?;
            let (what, outcome) = self.step(conn, &before);
            match outcome {
                Ok(()) => {
                    self.has_reported |= what == "report";
                    self.was_said(conn, step, what)?;
                    met.push(what.to_owned());
                }
                Err(error) => {
                    conn.batch_execute("ROLLBACK TO SAVEPOINT one_act")?;
                    let is_told = error.code().status().is_client_error();
                    let expected = is_told || what == "bypass" || self.bypassed;
                    assert!(
                        expected,
                        "seed {} step {step}: {what} of {:?}: {error}",
                        self.seed, before.state
                    );
                    met.push(format!("{what}: refused"));
                    assert_eq!(store::get(conn, self.place.case)?, before);
                }
            }
            conn.batch_execute("RELEASE SAVEPOINT one_act")?;
            self.look(conn, step, what)?;
        }
        met.push(store::get(conn, self.place.case)?.state.as_str().to_owned());
        Ok(met)
    }

    fn somebody(&mut self) -> PersonId {
        let all = [self.place.handler, self.place.deputy, self.place.lawyer, self.place.stranger];
        // Mostly who leads the case, so that something happens.
        if self.rng.random_bool(0.8) { self.place.handler } else { *all.choose(&mut self.rng).unwrap() }
    }

    /// Words, or what only looks like words.
    fn words(&mut self) -> &'static str {
        ["不属于援助范围。", "另有代理人。", "已按请求办理。", "", " \n\u{3000}"]
            .choose(&mut self.rng)
            .copied()
            .unwrap()
    }

    fn step(&mut self, conn: &mut Conn, before: &Case) -> (&'static str, Result<()>) {
        let (id, by, now) = (self.place.case, self.somebody(), self.clock.now());
        // Now and then somebody has read an earlier version.
        let version = before.version - i64::from(self.rng.random_bool(0.05));
        let (words, tools) = (self.words(), self.tools.clone());
        self.said = words;
        let mut acting = Acting::new(&tools, by, now);
        let key = (id, version);
        let wanted = Wanted { items: vec!["劳动合同".into()], note: Some("请尽快".into()) };
        // Often what usually comes next, or a case would hardly ever reach its end.
        let usual = match before.state {
            CaseState::Received => 16..27,
            CaseState::Supplement => 8..16,
            CaseState::Accepted => 36..48,
            CaseState::Assigned => 48..60,
            CaseState::Handling => 60..78,
            _ => 0..100,
        };
        let what = if self.rng.random_bool(0.5) { usual } else { 0..100 };
        match self.rng.random_range(what) {
            0..8 => ("notice", deciding::notice_in_tx(conn, &mut acting, key, &wanted).map(drop)),
            8..16 => {
                let mut beside = Beside::default();
                let who = (self.place.applicant, id);
                let said: (&str, &[FileId]) = (words, &[]);
                ("supply", asking::supply_in_tx(conn, &tools, who, said, now, &mut beside).map(drop))
            }
            16..27 => ("accept", deciding::accept_in_tx(conn, &mut acting, key, None).map(drop)),
            27..30 => ("provide", deciding::provide_in_tx(conn, &mut acting, key, &wanted).map(drop)),
            30..36 => {
                let codes: [&[RefusalReason]; 3] =
                    [&[], &[RefusalReason::OutOfScope], &[RefusalReason::Other]];
                let codes = codes.choose(&mut self.rng).copied().unwrap();
                ("refuse", deciding::refuse_in_tx(conn, &mut acting, key, codes, words).map(drop))
            }
            36..48 => {
                let to = if self.rng.random_bool(0.5) { self.place.lawyer } else { self.place.deputy };
                ("assign", deciding::assign_in_tx(conn, &mut acting, key, (to, None)).map(drop))
            }
            48..60 => ("start", deciding::start_in_tx(conn, &mut acting, key).map(drop)),
            60..70 => {
                let report = Report {
                    result: *CaseResult::ALL.choose(&mut self.rng).unwrap(),
                    recovered_fen: self.rng.random_range(0..1_000_000),
                    minutes: self.rng.random_range(1..1_000),
                    summary: words.to_owned(),
                };
                ("report", ending::report_in_tx(conn, &tools.vault, by, id, &report, now).map(drop))
            }
            70..78 => ("close", ending::close_in_tx(conn, &tools, by, id, now).map(drop)),
            78..83 => {
                let ground = *Ground::ALL.choose(&mut self.rng).unwrap();
                ("terminate", deciding::terminate_in_tx(conn, &mut acting, key, ground, words).map(drop))
            }
            83..85 => ("annul", deciding::annul_in_tx(conn, &mut acting, key, words).map(drop)),
            85..86 => {
                let (who, mut beside) = ((self.place.applicant, id), Beside::default());
                ("withdraw", asking::withdraw_in_tx(conn, &tools, who, None, now, &mut beside).map(drop))
            }
            _ => ("bypass", self.bypass(conn, before)),
        }
    }

    /// An act without what belongs to it: by a path that forgot it, or straight in the database.
    fn bypass(&mut self, conn: &mut Conn, case: &Case) -> Result<()> {
        let (now, by) = (self.clock.now(), Some(self.place.handler));
        let ends = ["closed", "refused", "terminated"];
        if self.rng.random_bool(0.4) {
            let state = ends.choose(&mut self.rng).unwrap();
            let ground = if *state == "terminated" { "'asked'" } else { "NULL" };
            let act = format!(
                "UPDATE legal_cases SET state = '{state}', ended_at = received_at, ground = {ground}"
            );
            conn.batch_execute(&act)?;
        } else {
            let acts = [
                Act::Close,
                Act::Refuse,
                Act::Terminate(Ground::Asked),
                Act::Uphold,
                Act::Lapse,
                Act::Supply,
            ];
            let act = *acts.choose(&mut self.rng).unwrap();
            act_in_tx(conn, &self.tools.ids, &self.tools.vault, case, act, by, None, None, now)?;
            clocks::stop_all_in_tx(conn, case.id, now)?;
        }
        self.bypassed = true;
        Ok(())
    }

    /// What was decided was decided with a reason, and the decision says it as it was written.
    fn was_said(&self, conn: &mut Conn, step: usize, what: &str) -> Result<()> {
        if !["refuse", "terminate"].contains(&what) {
            return Ok(());
        }
        let at = format!("seed {} step {step}, after {what}", self.seed);
        let (document, codes, notice): (CaseDocumentId, String, Option<String>) = legal_decisions::table
            .filter(legal_decisions::case_id.eq(self.place.case))
            .filter(legal_decisions::kind.eq(what))
            .order(legal_decisions::case_version.desc())
            .select((
                legal_decisions::document_id,
                legal_decisions::reason_codes,
                legal_decisions::appeal_notice,
            ))
            .first(conn)?;
        assert!(what != "refuse" || codes != "[]", "{at}: refused without a reason of the catalogue");
        let said = self.said.trim();
        assert!(!said.is_empty(), "{at}: decided without words");
        let row = papers::store::get(conn, self.place.case, document)?;
        let reasons = self.text_under(&row, "理由")?.unwrap_or_default();
        assert!(reasons.contains(said), "{at}: {said} is not among its reasons: {reasons}");
        let notice = notice.unwrap_or_else(|| panic!("{at}: nothing is kept of how to object"));
        assert!(notice.contains("异议"), "{at}: {notice}");
        assert_eq!(self.text_under(&row, "提出异议的权利")?, Some(notice), "{at}");
        Ok(())
    }

    /// What a document says under a heading.
    fn text_under(&self, row: &CaseDocument, heading: &str) -> Result<Option<String>> {
        let paper = Paper::open(&self.tools.vault, row)?;
        let place = paper.blocks.iter().position(|block| *block == Block::Heading(heading.to_owned()));
        Ok(place.map(|place| {
            let under = paper.blocks.iter().skip(place + 1).map_while(|block| match block {
                Block::Text(text) => Some(text.as_str()),
                _ => None,
            });
            under.collect::<Vec<_>>().join("\n")
        }))
    }

    /// What always holds.
    fn look(&self, conn: &mut Conn, step: usize, what: &str) -> Result<()> {
        let at = format!("seed {} step {step}, after {what}", self.seed);
        let case = store::get(conn, self.place.case)?;
        match case.state {
            CaseState::Closed => {
                assert!(self.has_reported, "{at}: nobody has written a report");
                let report = reports::report(conn, case.id)?.unwrap_or_else(|| panic!("{at}: no report"));
                let document = report.document_id.unwrap_or_else(|| panic!("{at}: no document"));
                self.says(conn, document, DocumentKind::ClosingReport, "办理情况", &at)?;
            }
            CaseState::Refused => self.decided(conn, "refuse", DocumentKind::Refusal, &at)?,
            CaseState::Terminated => self.decided(conn, "terminate", DocumentKind::Termination, &at)?,
            _ => {}
        }
        Ok(())
    }

    /// The last `act` has a document of `kind` with reasons and how to object.
    fn decided(&self, conn: &mut Conn, act: &str, kind: DocumentKind, at: &str) -> Result<()> {
        let last: Option<CaseDocumentId> = legal_events::table
            .filter(legal_events::case_id.eq(self.place.case))
            .filter(legal_events::act.eq(act))
            .order(legal_events::at.desc())
            .select(legal_events::document_id)
            .first(conn)?;
        let document = last.unwrap_or_else(|| panic!("{at}: {act} without a document"));
        self.says(conn, document, kind, "理由", at)?;
        self.says(conn, document, kind, "提出异议的权利", at)
    }

    /// A document of `kind` says something under `heading`.
    fn says(
        &self,
        conn: &mut Conn,
        document: CaseDocumentId,
        kind: DocumentKind,
        heading: &str,
        at: &str,
    ) -> Result<()> {
        let row = papers::store::get(conn, self.place.case, document)?;
        assert_eq!(row.kind, kind, "{at}");
        let said = self.text_under(&row, heading)?.unwrap_or_default();
        assert!(!said.trim().is_empty(), "{at}: {kind} says nothing under {heading}");
        Ok(())
    }
}
