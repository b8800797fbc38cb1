//! The import over HTTP.

use actix_web::web::Data;
use actix_web::{HttpRequest, post};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::columns::{CellFault, layout};
use super::drafts::{Plan, plan};
use super::sheet::{self, SheetFile};
use super::store::{self, Done, Outcome};
use crate::error::{Error, Fault, Result, Text};
use crate::ids::ActivityId;
use crate::offering::changing::Acting;
use crate::offering::following::Followers;
use crate::offering::making::Maker;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::CatalogueManage;
use crate::platform::audit;
use crate::platform::db::Conn;
use crate::platform::http::problem::Language;
use crate::platform::http::{ApiQuery, Contract, IdempotentFile, Stored};

/// How to import.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only look, and say what would be done.
    #[param(default = false)]
    pub dry_run: Option<bool>,
}

crate::text_enum! {
    /// What became of a row.
    pub enum RowState {
        /// Its session is made, or would be.
        Create = "create",
        /// It was imported before.
        Unchanged = "unchanged",
        /// Something is wrong with it.
        Error = "error",
    }
}

/// What is wrong with a cell.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellProblem {
    /// The column's English name.
    #[schema(max_length = 60, example = "session_ends_at")]
    pub column: &'static str,
    /// A stable code.
    #[schema(max_length = 60, example = "order")]
    pub code: &'static str,
    /// What is wrong.
    #[schema(max_length = 2000, example = "必须晚于开始时间")]
    pub detail: String,
}

/// What became of a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowVerdict {
    /// As the sheet numbers it; the header is usually 1.
    #[schema(minimum = 1, maximum = 4_294_967_295_i64)]
    pub row: u32,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub row_key: Option<String>,
    /// What became of it.
    pub state: RowState,
    /// Its activity: of a written import, or of an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_id: Option<ActivityId>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 1000)]
    pub errors: Vec<CellProblem>,
}

/// What became of a sheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportReport {
    /// Whether anything was written: neither on a dry run, nor when any row is wrong.
    pub written: bool,
    /// Activities that were made, or would be.
    #[schema(minimum = 0, maximum = 500)]
    pub activities: usize,
    /// Rows whose sessions were made, or would be.
    #[schema(minimum = 0, maximum = 500)]
    pub create: usize,
    /// Rows that were imported before.
    #[schema(minimum = 0, maximum = 500)]
    pub unchanged: usize,
    /// Rows that are wrong.
    #[schema(minimum = 0, maximum = 500)]
    pub error: usize,
    /// Every row, in order.
    #[schema(max_items = 500)]
    pub rows: Vec<RowVerdict>,
}

impl ImportReport {
    fn new(plan: &Plan, done: Done, written: bool, language: Language) -> Self {
        let Done { outcomes, mut faults, .. } = done;
        let activities = outcomes.values().filter(|one| matches!(one, Outcome::Created(_))).count();
        let problem = |fault: CellFault| CellProblem {
            column: fault.column,
            code: fault.code,
            detail: language.pick(&fault.detail).chars().take(2000).collect(),
        };
        let rows: Vec<RowVerdict> = plan
            .rows
            .iter()
            .map(|(row, key)| {
                let wrong = faults.remove(row).unwrap_or_default();
                let outcome = key.as_ref().and_then(|key| outcomes.get(key)).copied();
                let (state, activity_id) = match outcome {
                    _ if !wrong.is_empty() => (RowState::Error, None),
                    Some(Outcome::Unchanged(id)) => (RowState::Unchanged, Some(id)),
                    Some(Outcome::Created(id)) => (RowState::Create, Some(id).filter(|_| written)),
                    // Another row of its activity is wrong; this one is not.
                    Some(Outcome::Wrong) | None => (RowState::Create, None),
                };
                RowVerdict {
                    row: *row,
                    row_key: key.as_ref().map(|key| key.chars().take(60).collect()),
                    state,
                    activity_id,
                    errors: wrong.into_iter().map(problem).collect(),
                }
            })
            .collect();
        let count = |state: RowState| rows.iter().filter(|row| row.state == state).count();
        Self {
            written,
            activities,
            create: count(RowState::Create),
            unchanged: count(RowState::Unchanged),
            error: count(RowState::Error),
            rows,
        }
    }
}

/// A sheet of activities and sessions.
pub struct ActivitySheet;

impl PartialSchema for ActivitySheet {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("A sheet of at most 2 MiB, 500 rows and 64 columns"))
            .max_length(Some(2 << 20))
            .into()
    }
}

impl ToSchema for ActivitySheet {
    fn name() -> std::borrow::Cow<'static, str> {
        "ActivitySheet".into()
    }
}

/// Import activities and sessions from a sheet / 导入活动和场次
///
/// CSV (UTF-8 or GB18030) or the first visible sheet of an XLSX workbook. All rows are imported or none: where any row is
/// wrong, nothing is written and `written` is false. One row is one session; rows with the same `row_key` are one activity, whose
/// facts stand in the first of them. Drafts are made. The same sheet again makes nothing; a `row_key` that comes again with
/// other content is an error, because an import never changes what is there. Nothing is evaluated: `=1+1` is a text.
///
/// | column | header | what |
/// | --- | --- | --- |
/// | `row_key` * | 行号键, 活动编号 | names the activity in its organisation; at most 60 characters |
/// | `organisation` * | 组织, 组织代码, 主办单位 | code, name or short name; in one's own subtree |
/// | `programme` * | 项目, 服务项目 | code or id; or the exact name of one of one's own or of an organisation above |
/// | `street` | 街道 | code, name or short name; the organiser's own when blank |
/// | `title` * | 标题, 活动名称 | |
/// | `summary` | 简介 | |
/// | `venue` * | 场地, 地点 | |
/// | `address` | 地址 | |
/// | `capacity` * | 名额 | 1 to 1,000,000 |
/// | `allocation` | 分配方式 | `first_come` 先到先得, `review` 审核, `draw` 抽签 |
/// | `waiting_list` | 候补 | `none` 无, `strict` 严格按序, `fill` 满座优先 |
/// | `members_only` | 仅限会员 | `yes` 是, `no` 否 |
/// | `completion_of` | 结业依据 | `sessions` 场次, `hours` 课时; sessions when blank |
/// | `completion_percent` | 结业比例 | 1 to 100; nobody completes it when blank |
/// | `signup_opens_at` * | 报名开始, 报名开始时间 | `2025-03-01 14:00` (Beijing time), RFC 3339, or a date cell |
/// | `signup_closes_at` * | 报名截止, 报名截止时间 | as above |
/// | `session_starts_at` * | 场次开始, 开始时间 | as above; of every row |
/// | `session_ends_at` * | 场次结束, 结束时间 | as above; of every row |
/// | `resources` | 资源, 占用场地和讲师 | names of venues and trainers, with 、 between them |
/// | `publish` | 发布 | 是 or yes: it is published at once |
///
/// Columns with * must be there, in any order. Codes of cells: those of fields, and `contradiction` (differs from the first row),
/// `changed` (imported before with other content), `ambiguous`, `clash`, `seats`, `state_forbids`.
#[utoipa::path(
    tag = "catalogue", operation_id = "activity_import", security(("bearer" = ["catalogue:manage"])),
    params(ImportQuery,
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body(content(
        (ActivitySheet = "text/csv"),
        (ActivitySheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    )),
    responses((status = 200, description = "What became of every row", body = ImportReport)),
)]
#[post("/api/v1/activity-imports")]
pub async fn activity_import(
    platform: Data<Platform>,
    followers: Data<Followers>,
    guard: Guard<CatalogueManage>,
    contract: Data<Contract>,
    request: HttpRequest,
    query: ApiQuery<ImportQuery>,
    file: IdempotentFile<SheetFile>,
) -> Result<Stored> {
    let (actor, now, scope, ids) =
        (guard.person(), platform.clock.now(), guard.scope().clone(), platform.ids.clone());
    let (language, dry_run) = (Language::of(request.headers()), query.0.dry_run.unwrap_or(false));
    let plan = read(file.media, file.bytes.to_vec()).await?;
    let followers = followers.get_ref().clone();
    let act = move |c: &mut Conn| {
        let acting = Acting { followers: followers.clone(), scope: scope.clone(), actor, now };
        let maker = Maker { ids: &ids, scope: &scope, now };
        let mut done = store::import_in_tx(c, &maker, &acting, &contract, &plan)?;
        let written = !dry_run && done.faults.is_empty();
        let entries = std::mem::take(&mut done.entries);
        let report = ImportReport::new(&plan, done, written, language);
        if written {
            audit::append_in_tx(c, now, entries)?;
            return Stored::done(0, &report);
        }
        // What is wrong is no refusal: the verdicts are the answer.
        Stored::undone(&report)
    };
    platform.idempotency.run(actor, file.key, act).await
}

/// Reads the sheet off the async threads: unpacking it takes a while.
async fn read(media: &'static str, bytes: Vec<u8>) -> Result<Plan> {
    let work = tokio::task::spawn_blocking(move || {
        let lines = sheet::read(media, &bytes)?;
        let (header, rows) = lines.split_first().ok_or_else(|| Error::internal("an empty sheet was read"))?;
        Ok(plan(&layout(header)?, rows))
    });
    work.await.unwrap_or_else(|panic| {
        // The reader of workbooks stumbled over one that nobody's program has written.
        tracing::warn!(%panic, "a sheet could not be read");
        let text = Text::new("无法读取", "cannot be read");
        Err(Error::invalid(vec![Fault::new("", "unreadable", text)]))
    })
}
