//! Taking machines and disks elsewhere.

use super::absolute;
use crate::output::Output;
use crate::{interrupt, progress};
use clap::{Args, ValueEnum, ValueHint};
use nestbox_api::Client;
use nestbox_model::units::format_size;
use nestbox_model::{
    BackupRequest, ConvertRequest, ExportFormat, ExportRequest, Job, RestoreBackupRequest, Result,
};
use serde_json::Value;
use std::path::PathBuf;

/// What can be written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// QEMU, UTM, virt-manager, GNOME Boxes
    Qcow2,
    /// Byte for byte
    Raw,
    /// VMware
    Vmdk,
    /// VirtualBox
    Vdi,
    /// Hyper-V
    Vhdx,
    /// A whole machine for VMware, VirtualBox and others
    Ova,
    /// A whole machine for UTM
    Utm,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Qcow2 => Self::Qcow2,
            Format::Raw => Self::Raw,
            Format::Vmdk => Self::Vmdk,
            Format::Vdi => Self::Vdi,
            Format::Vhdx => Self::Vhdx,
            Format::Ova => Self::Ova,
            Format::Utm => Self::Utm,
        }
    }
}

#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Any disk image that can be imported; it is not changed
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The new file
    #[arg(value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    /// Otherwise by the new file's ending
    #[arg(long, value_name = "F")]
    pub format: Option<Format>,
    /// Replace a file that is there
    #[arg(long)]
    pub overwrite: bool,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    pub machine: String,
    /// The new file (utm: folder)
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Otherwise by the file's ending
    #[arg(long, value_name = "F")]
    pub format: Option<Format>,
    /// One disk only
    #[arg(long, value_name = "D")]
    pub disk: Option<String>,
    /// As it was in this snapshot
    #[arg(long, value_name = "S")]
    pub snapshot: Option<String>,
    /// Replace files that are there
    #[arg(long)]
    pub overwrite: bool,
    /// Make qcow2 smaller, which takes longer
    #[arg(long)]
    pub compress: bool,
    /// Say what would be written and left behind, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    pub machine: String,
    /// The new file
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub overwrite: bool,
    /// Leave saved memory out
    #[arg(long)]
    pub no_memory: bool,
    /// Only the present
    #[arg(long)]
    pub no_snapshots: bool,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub struct RestoreBackupArgs {
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Otherwise the one it had, or the next free one like it
    #[arg(long, value_name = "N")]
    pub name: Option<String>,
    /// Say what the backup holds and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the job's id and return
    #[arg(long)]
    pub detach: bool,
}

pub async fn convert(client: &Client, args: ConvertArgs, output: &Output) -> Result<()> {
    let request = ConvertRequest {
        file: absolute(&args.file)?,
        to: absolute(&args.out)?,
        format: args.format.map(Into::into),
        overwrite: args.overwrite,
    };
    let _interrupt = (!args.detach).then(interrupt::claim);
    let job = client.convert(&request).await?;
    let Some(result) = finish(client, job, args.detach, output).await? else {
        return Ok(());
    };
    output.result(&result, |o| {
        let bytes = result["bytes"].as_u64().unwrap_or(0);
        o.line(format!(
            "{} ({})",
            result["path"].as_str().unwrap_or_default(),
            format_size(bytes)
        ));
    });
    Ok(())
}

pub async fn export(client: &Client, args: ExportArgs, output: &Output) -> Result<()> {
    let request = ExportRequest {
        to: absolute(&args.file)?,
        format: args.format.map(Into::into),
        disk: args.disk,
        snapshot: args.snapshot,
        overwrite: args.overwrite,
        compress: args.compress,
    };
    if args.dry_run {
        let plan = client.export_plan(&args.machine, &request).await?;
        output.result(&plan, |o| {
            for file in &plan.files {
                let taken = if file.exists { ", there is one now" } else { "" };
                o.line(format!(
                    "{} (up to {}{taken})",
                    file.path,
                    format_size(file.estimate)
                ));
            }
            plan.notes
                .iter()
                .for_each(|note| o.line(format!("  note  {note}")));
        });
        return Ok(());
    }
    let _interrupt = (!args.detach).then(interrupt::claim);
    let job = client.export(&args.machine, &request).await?;
    let Some(result) = finish(client, job, args.detach, output).await? else {
        return Ok(());
    };
    output.result(&result, |o| {
        for file in result["files"].as_array().into_iter().flatten() {
            o.line(format!(
                "{} ({})",
                file["path"].as_str().unwrap_or_default(),
                format_size(file["bytes"].as_u64().unwrap_or(0))
            ));
        }
        notes(&result, o);
    });
    Ok(())
}

/// Follows the job; what it made, unless nobody waits for it.
async fn finish(client: &Client, job: Job, detach: bool, output: &Output) -> Result<Option<Value>> {
    if detach {
        output.result(&job, |o| o.line(job.id.as_str()));
        return Ok(None);
    }
    let job = progress::follow(client, &job, output).await?;
    Ok(Some(job.result.unwrap_or_default()))
}

fn notes(result: &Value, o: &Output) {
    for note in result["notes"].as_array().into_iter().flatten() {
        o.note(note.as_str().unwrap_or_default());
    }
}

pub async fn backup(client: &Client, args: BackupArgs, output: &Output) -> Result<()> {
    let request = BackupRequest {
        to: absolute(&args.file)?,
        overwrite: args.overwrite,
        snapshots: !args.no_snapshots,
        memory: !args.no_memory,
    };
    let _interrupt = (!args.detach).then(interrupt::claim);
    let job = client.backup(&args.machine, &request).await?;
    let Some(result) = finish(client, job, args.detach, output).await? else {
        return Ok(());
    };
    output.result(&result, |o| {
        o.line(format!(
            "{} ({})",
            result["path"].as_str().unwrap_or_default(),
            format_size(result["bytes"].as_u64().unwrap_or(0))
        ));
        notes(&result, o);
    });
    Ok(())
}

pub async fn restore(client: &Client, args: RestoreBackupArgs, output: &Output) -> Result<()> {
    let request = RestoreBackupRequest {
        file: absolute(&args.file)?,
        name: args.name,
    };
    if args.dry_run {
        let info = client.backup_info(&request).await?;
        output.result(&info, |o| {
            o.facts(&[
                ("Machine", info.name.clone()),
                ("System", info.system.clone().unwrap_or_default()),
                ("Made", info.created_at.date().to_string()),
                ("Snapshots", info.snapshots.to_string()),
                ("Disks", info.disks.to_string()),
                ("Needs", format_size(info.bytes)),
            ]);
            info.notes
                .iter()
                .for_each(|note| o.line(format!("  note  {note}")));
        });
        return Ok(());
    }
    let _interrupt = (!args.detach).then(interrupt::claim);
    let started = client.restore_backup(&request).await?;
    let id = started.machine.id.clone();
    let Some(result) = finish(client, started.job, args.detach, output).await? else {
        return Ok(());
    };
    let machine = client.machine(id.as_str()).await?;
    output.result(&machine, |o| {
        o.line(format!("“{}” is {}.", machine.name, machine.state.as_str()));
        notes(&result, o);
    });
    Ok(())
}
