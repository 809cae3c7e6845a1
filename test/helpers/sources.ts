// The project's source files as the architecture test reads them: their imports and the calls that change files.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";
import { projectRoot } from "./command.ts";

export interface Import {
  /** As written. */
  specifier: string;
  /** The imported file, relative to the project's root, where it is one of ours. */
  file: string | undefined;
  /** Names taken from it; "*" for all. */
  names: string[];
}

export interface Source {
  /** Relative to the project's root, with slashes. */
  path: string;
  text: string;
  lines: number;
  imports: Import[];
  /** Names of called members: `fs.rename(…)` gives "rename", `handle.sync()` gives "sync()". */
  calls: string[];
}

const generated = /^(schema\/types\.ts|schema\/validators\/.*|package-lock\.json)$/;
const notOurs = new Set(["node_modules", ".git", "spool", "coverage"]);

/** Paths of every file of the project that a person wrote. */
export function projectFiles(folder = projectRoot): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    // runtime/spool is code; only the spool at the top holds data.
    const data = entry.name === "spool" && folder !== projectRoot;
    if (entry.isDirectory()) return notOurs.has(entry.name) && !data ? [] : projectFiles(path);
    const name = relative(projectRoot, path).split(sep).join("/");
    return entry.isFile() && !generated.test(name) ? [name] : [];
  });
}

/** The TypeScript and JavaScript files below these folders, parsed. */
export function sources(...folders: string[]): Source[] {
  return projectFiles()
    .filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
    .filter((path) => [".ts", ".js"].includes(extname(path)))
    .map(parse);
}

function parse(path: string): Source {
  const text = readFileSync(join(projectRoot, path), "utf8");
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const calls: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      imports.push(importOf(path, (node.moduleSpecifier as ts.StringLiteral).text, node));
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [target] = node.arguments;
      if (target && ts.isStringLiteralLike(target)) imports.push(importOf(path, target.text));
    } else if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const [target] = node.arguments;
      // process.getBuiltinModule is an import too, only a late one.
      const late =
        node.expression.name.text === "getBuiltinModule" && target && ts.isStringLiteralLike(target);
      if (late) imports.push(importOf(path, target.text));
      calls.push(`${node.expression.name.text}${node.arguments.length === 0 ? "()" : ""}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { path, text, lines: text.split("\n").length - 1, imports, calls };
}

function importOf(
  from: string,
  specifier: string,
  node?: ts.ImportDeclaration | ts.ExportDeclaration,
): Import {
  const local = specifier.startsWith(".") ? resolve(projectRoot, dirname(from), specifier) : undefined;
  const file = local === undefined ? undefined : relative(projectRoot, local).split(sep).join("/");
  return { specifier, file, names: namesOf(node) };
}

function namesOf(node: ts.ImportDeclaration | ts.ExportDeclaration | undefined): string[] {
  const bindings =
    node && ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node?.exportClause;
  if (bindings === undefined || !(ts.isNamedImports(bindings) || ts.isNamedExports(bindings))) return ["*"];
  const elements: Array<ts.ImportSpecifier | ts.ExportSpecifier> = [...bindings.elements];
  return elements.map((element) => (element.propertyName ?? element.name).text);
}

/** The first import cycle among these files, as a path that ends where it began; undefined when there is none. */
export function importCycle(all: readonly Source[]): string[] | undefined {
  const byPath = new Map(all.map((source) => [source.path, source]));
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const { file } of byPath.get(path)?.imports ?? []) {
      const cycle = file === undefined || !byPath.has(file) ? undefined : walk(file, [...trail, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const { path } of all) {
    const cycle = walk(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
