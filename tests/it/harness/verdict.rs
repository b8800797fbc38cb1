//! What the harness looks at after every test.

use diesel::prelude::*;
use unionhall::clock::db_time;
use unionhall::plan;
use unionhall::platform::audit;
use unionhall::platform::db::schema::jobs;
use unionhall::platform::outbox::{Job, JobState};

use super::app::TestApp;

impl TestApp {
    /// Everything that the test left and should not have.
    pub async fn verdict(&self) -> Result<(), String> {
        let mut wrong = self.notes().failures();
        let now = db_time(self.now());
        let may_fail = self.notes().expects_failed_jobs();
        let may_differ = self.notes().expects_differences();
        let found = self.db().read(move |conn| {
            let mut wrong = Vec::new();
            let left: Vec<Job> = jobs::table.order(jobs::id).select(Job::as_select()).load(conn)?;
            for job in left {
                if job.state == JobState::Queued && job.run_at <= now {
                    wrong.push(format!("a job is left that is due: {} {}", job.kind, job.payload));
                }
                if job.last_error.is_some() && !may_fail {
                    wrong.push(format!("a job failed: {} {}: {:?}", job.kind, job.payload, job.last_error));
                }
            }
            if !may_differ {
                let ledger = plan::verify::verify(conn, |_| ())?;
                wrong.extend(ledger.differences.iter().map(|d| format!("ledger: {} {}", d.code, d.detail)));
                if let Some((seq, why)) = audit::verify(conn, |_| ())?.broken {
                    wrong.push(format!("audit chain: entry {seq}: {why}"));
                }
            }
            Ok(wrong)
        });
        match found.await {
            Ok(found) => wrong.extend(found),
            Err(error) => wrong.push(format!("the database cannot be looked at: {error}")),
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("after the test:\n  {}", wrong.join("\n  "))) }
    }
}
