import { Component, type ErrorInfo, type ReactNode } from "react";
import { Button, ErrorCard } from "../components";
import { t } from "../i18n";
import { platform } from "../platform";
import { Page } from "./page";

interface Props {
  /** Another page starts afresh. */
  resetKey: string;
  children: ReactNode;
}

interface State {
  error: Error | null;
  where: string;
  resetKey: string;
}

/** A fault of a page stays on that page: the sidebar goes on, and the fault is shown with its exact words. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null, where: "", resetKey: this.props.resetKey };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  static getDerivedStateFromProps(props: Props, state: State): Partial<State> | null {
    return props.resetKey === state.resetKey ? null : { error: null, where: "", resetKey: props.resetKey };
  }

  override componentDidCatch(_error: unknown, info: ErrorInfo): void {
    this.setState({ where: info.componentStack ?? "" });
  }

  override render(): ReactNode {
    const { error, where } = this.state;
    if (!error) return this.props.children;
    return (
      <Page name={t("shell.pageFailed")} title={null}>
        <div className="scroll">
          <div className="page narrow">
            <ErrorCard
              level={2}
              title={t("shell.pageFailed")}
              safety={t("shell.pageFailedSafe")}
              error={{
                code: "page-failed",
                message: t("shell.pageFailedWhy"),
                hint: t("shell.pageFailedHint"),
                details: { error: error.message, where: where.trim().slice(0, 2_000) },
              }}
              onCopy={(text) => void platform.copyText(text)}
              actions={
                <Button variant="primary" onPress={() => this.setState({ error: null })}>
                  {t("common.tryAgain")}
                </Button>
              }
            />
          </div>
        </div>
      </Page>
    );
  }
}
