/**
 * The pages and sheets of features, each loaded when first used. A feature's `index.ts(x)` exports them by
 * these names and props; nothing else of a feature is used from outside.
 */
import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import type { Arch, Machine } from "../data";

type Module = Record<string, ComponentType<never>>;
const modules = import.meta.glob<Module>("../features/*/index.{ts,tsx}");

function screen<P>(feature: string, name: string): LazyExoticComponent<ComponentType<P>> {
  return lazy(async () => {
    const load = modules[`../features/${feature}/index.ts`] ?? modules[`../features/${feature}/index.tsx`];
    const found = (await load?.())?.[name] as ComponentType<P> | undefined;
    return { default: found ?? (() => null) };
  });
}

export interface SheetProps {
  onClose: () => void;
}
export interface MachineProps {
  machine: Machine;
}

export const NewVmSheet = screen<SheetProps & { template?: string; arch?: Arch }>("newvm", "NewVmSheet");
export const ImportSheet = screen<SheetProps & { paths: string[] }>("import", "ImportSheet");
export const CreatingPage = screen<MachineProps>("creating", "CreatingPage");
export const ActivityPage = screen<object>("activity", "ActivityPage");
export const DoctorPage = screen<object>("doctor", "DoctorPage");
export const SettingsPage = screen<object>("settings", "SettingsPage");
export const TrashPage = screen<object>("trash", "TrashPage");
export const SpacePage = screen<object>("space", "SpacePage");
export const CloneSheet = screen<SheetProps & MachineProps & { snapshot?: string }>("clone", "CloneSheet");
export const CompareSheet = screen<SheetProps & MachineProps & { from?: string }>("compare", "CompareSheet");
export const TogetherSheet = screen<SheetProps & { machines?: string[]; tag?: string }>("together", "TogetherSheet");
export const DisksPage = screen<MachineProps>("disks", "DisksPage");
export const AddDiskSheet = screen<SheetProps & MachineProps>("disks", "AddDiskSheet");
export const GrowDiskSheet = screen<SheetProps & MachineProps & { disk: string }>("disks", "GrowDiskSheet");
export const MoveDiskSheet = screen<SheetProps & MachineProps & { disk: string }>("disks", "MoveDiskSheet");
export const FilesPage = screen<MachineProps & { disk: string }>("files", "FilesPage");
export const ExportSheet = screen<SheetProps & MachineProps & { disk?: string; snapshot?: string }>("carry", "ExportSheet");
export const BackupSheet = screen<SheetProps & MachineProps>("carry", "BackupSheet");
export const RestoreBackupSheet = screen<SheetProps & { file?: string }>("carry", "RestoreBackupSheet");
export const DisplayPage = screen<MachineProps>("display", "DisplayPage");
