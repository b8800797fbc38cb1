//! Valid requests for reports, the board and sign-in sheets.

use serde_json::json;

use super::cases::{Call, Stage, get, post};

/// A request that succeeds when somebody may make it.
pub async fn case(stage: &Stage, operation: &str) -> Option<Call> {
    let figures = json!({ "kind": "figures", "format": "csv" });
    let session = format!("/api/v1/sessions/{}", stage.activity.session);
    Some(match operation {
        "plan_board" => get("/plans/2025/board"),
        "plan_figures_get" => get("/api/v1/plans/2025/figures.csv"),
        "report_create" => post("/api/v1/plans/2025/reports", figures),
        "report_get" | "report_content_get" => {
            let report = crate::exports::asked(&stage.app.staff("planner").await, figures).await;
            stage.app.run_jobs().await;
            get(if operation == "report_get" { report } else { format!("{report}/content") })
        }
        "session_sign_in_sheet" => get(format!("{session}/sign-in-sheet")),
        "session_sign_in_reveal" => {
            post(format!("{session}/sign-in-sheet-reveals"), json!({ "purpose": "现场签到" }))
        }
        _ => return None,
    })
}
