/** Opens an operation in a tab. */
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { type OperationDefinitionNode, parse, valueFromASTUntyped } from 'graphql';

export interface Opened {
  readonly query: string;
  readonly variables?: string;
}

/**
 * Opens a document: in the tab that has it, in the present tab if that is empty, else in a new one. Undefined
 * while the editor is being loaded: a tab that is opened before stays empty.
 */
export function useOpenDocument(): ((opened: Opened) => void) | undefined {
  const { queryEditor, variableEditor, tabs, activeTabIndex } = useGraphiQL(
    pick('queryEditor', 'variableEditor', 'tabs', 'activeTabIndex'),
  );
  const { addTab, changeTab, updateActiveTabValues, setOperationFacts } = useGraphiQLActions();
  if (!queryEditor) return undefined;
  return ({ query, variables = defaultVariables(query) }) => {
    const index = tabs.findIndex((each) => each.query === query);
    if (index >= 0 && index !== activeTabIndex) changeTab(index);
    if (index < 0) {
      if (queryEditor.getValue().trim() !== '') addTab();
      queryEditor.setValue(query);
      variableEditor?.setValue(variables);
    }
    const documentAST = parse(query);
    const operations = documentAST.definitions.filter(
      (each): each is OperationDefinitionNode => each.kind === 'OperationDefinition',
    );
    // GraphiQL reads the text a moment later, and would run it under the name of the tab before.
    const operationName = operations[0]?.name?.value;
    setOperationFacts({ documentAST, operations, operationName });
    if (index < 0)
      updateActiveTabValues({ query, variables, operationName: operationName ?? null });
    queryEditor.focus();
  };
}

/** The variables of a document with their default values, as the editor of variables shows them. */
export function defaultVariables(query: string): string {
  const [operation] = parse(query).definitions;
  if (operation?.kind !== 'OperationDefinition') return '';
  const values = (operation.variableDefinitions ?? []).flatMap(({ variable, defaultValue }) =>
    defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
  );
  return values.length === 0 ? '' : JSON.stringify(Object.fromEntries(values), null, 2);
}
