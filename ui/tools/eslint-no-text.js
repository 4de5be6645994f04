/** Text that people read comes from `i18n`: no words in JSX, no literal names. */
const NAMES = new Set(["aria-label", "aria-description", "aria-valuetext", "aria-roledescription", "title", "placeholder", "alt", "label"]);
/** Words that are the same in every language. */
const SAME = /^(TCP|UDP|Ctrl|Alt|[\W\d_]*)$/u;

const check = (context, node, text) => {
  if (SAME.test(text.trim())) return;
  context.report({ node, message: `Text in a view: “${text.trim()}”. Put it into src/i18n/en and use t().` });
};

export const noTextInViews = {
  meta: { type: "problem", docs: { description: "text of views comes from i18n" }, schema: [] },
  create: (context) => ({
    JSXText: (node) => check(context, node, node.value),
    JSXAttribute(node) {
      if (!NAMES.has(node.name.name)) return;
      const value = node.value?.type === "JSXExpressionContainer" ? node.value.expression : node.value;
      if (value?.type === "Literal" && typeof value.value === "string") check(context, node, value.value);
      if (value?.type === "TemplateLiteral") check(context, node, value.quasis.map((part) => part.value.raw).join(""));
    },
    "JSXExpressionContainer > Literal"(node) {
      const parent = node.parent.parent;
      if (parent?.type === "JSXElement" && typeof node.value === "string") check(context, node, node.value);
    },
  }),
};
