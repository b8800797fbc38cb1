//! Legal aid: somebody asks, and an officer of the desk takes the request and decides about it.

use std::sync::Arc;

use serde_json::json;

use super::super::Outcome;
use super::super::client::{Session, field, id};
use super::events::{Aid, street_of};
use super::play::Player;

impl Player<'_> {
    /// Somebody asks, and it is decided about on the same day.
    pub(super) async fn aid(&mut self, aid: &Aid) -> Outcome<()> {
        let worker = self.worker(aid.worker).await?;
        let form = self.site.anonymous().get("/api/v1/legal-aid-form").await?;
        let ask = json!({
            "category": "labour_dispute", "form": aid.form, "employer": "示例机械厂",
            "facts": "示例单位拖欠三个月工资。", "wishes": "支付所欠工资。",
            "declaration_version": field(field(&form, "declaration"), "version"),
        });
        let case = id(&worker.post("/api/v1/me/legal-requests", &ask).await?)?;
        let officer = self.officer_of(aid.worker).await?;
        officer.post(&format!("/api/v1/legal-desk/{case}/takings"), &json!({})).await?;
        self.aided.insert(aid.number, (case.clone(), aid.worker));
        let path = format!("/api/v1/legal-cases/{case}");
        let (what, decision) = if aid.accepted {
            ("acceptances", json!({}))
        } else {
            let why = json!({ "reasons": ["out_of_scope"], "text": "申请事项不属于劳动权益方面的争议。" });
            ("refusals", why)
        };
        officer.post_to(&path, &format!("{path}/{what}"), &decision).await.map(|_| ())
    }

    /// The acceptance of a case is annulled.
    pub(super) async fn annul_aid(&mut self, number: u32) -> Outcome<()> {
        let (case, worker) = self.aided.get(&number).cloned().ok_or("nobody was aided")?;
        let officer = self.officer_of(worker).await?;
        let path = format!("/api/v1/legal-cases/{case}");
        let why = json!({ "reasons": "申请材料经核实与事实不符" });
        officer.post_to(&path, &format!("{path}/annulments"), &why).await.map(|_| ())
    }

    /// Who decides about requests of somebody: 平湖 has an officer of its own.
    async fn officer_of(&mut self, worker: u32) -> Outcome<Arc<Session>> {
        let pinghu = street_of(self.works(worker)) == "street-pinghu";
        self.user(if pinghu { "legal-pinghu" } else { "legal" }).await
    }
}
