import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";
import { noTextInViews } from "./tools/eslint-no-text.js";

export default tseslint.config(
  // schema.ts is made by tools/gen-api.mjs.
  { ignores: ["dist", "shots", "src/data/schema.ts"] },
  js.configs.recommended,
  {
    files: ["src/**/*.{ts,tsx}"],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked, a11y.flatConfigs.recommended],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { "react-hooks": hooks, nestbox: { rules: { "no-text-in-views": noTextInViews } } },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "nestbox/no-text-in-views": "error",
      // ARIA 1.3: aria-description is global; the plugin's table is older.
      "jsx-a11y/role-supports-aria-props": "off",
      // Sheets put the focus on the field or the harmless button they exist for.
      "jsx-a11y/no-autofocus": "off",
      // The display: a canvas that takes every key.
      "jsx-a11y/no-interactive-element-to-noninteractive-role": ["error", { canvas: ["application", "img"] }],
      // Strings are spread into code points on purpose (names, typed text).
      "@typescript-eslint/no-misused-spread": ["error", { allow: [{ from: "lib", name: "string" }, "string"] }],
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["@tauri-apps/*"], message: "Only src/platform/tauri.ts may know Tauri: use the platform." }] },
      ],
      "no-restricted-globals": ["error", { name: "fetch", message: "Use the client of src/data." }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/consistent-type-definitions": "off",
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off",
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/use-unknown-in-catch-callback-variable": "off",
      "@typescript-eslint/prefer-promise-reject-errors": "off",
    },
  },
  { files: ["src/platform/tauri.ts"], rules: { "no-restricted-imports": "off" } },
  { files: ["src/platform/*.ts"], rules: { "no-restricted-globals": "off" } },
  { files: ["src/**/*.test.{ts,tsx}"], rules: { "nestbox/no-text-in-views": "off", "@typescript-eslint/no-non-null-assertion": "off" } },
  {
    files: ["tests/**/*.mjs", "tools/**/*.{mjs,js}", "dev/**/*.mjs", "*.{js,ts}"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
  { files: ["vite.config.ts"], extends: [...tseslint.configs.recommended] },
);
