/** What opens a chat. */
import { isComparison } from "../chat/compare";
import type { ChatModels } from "../chat/models";
import { openChat } from "../chat/openChat";
import type { ChatPanels } from "../panels/chatPanels";
import type { RunStore } from "../runs/runStore";
import { pickRun } from "./pickRun";

/** `PEFT: Ask About Selection`: a chat whose next prompt is about what is selected. */
export async function askAboutSelection(chats: ChatPanels): Promise<void> {
  const panel = await chats.open();
  await panel.takeSelection();
}

/** `PEFT: Chat with Adapter`: a conversation with what a run has made. */
export async function chatWithAdapter(
  store: RunStore,
  models: ChatModels,
  chats: ChatPanels,
  given: unknown,
): Promise<void> {
  const none = "There is no adapter to chat with yet: complete a run first.";
  const run = await pickRun(store, given, ({ chat_model }) => chat_model !== null, none);
  if (!run?.chat_model) return;
  await models.choose(run.chat_model);
  await chats.begin(run.chat_model);
}

/** Has an adapter and its base answer a prompt beside each other, from the same seed and as `@peft` has them answer. */
export async function compareAnswers(chats: ChatPanels, given: unknown): Promise<void> {
  if (!isComparison(given)) return;
  const { prompt, ...chosen } = given;
  const panel = await chats.begin(chosen.model, { ...chosen, temperature: 0 });
  await panel.ask(prompt);
}

/** `PEFT: Choose Chat Model`: for `@peft` in the editor's own chat. */
export async function chooseChatModel(models: ChatModels): Promise<void> {
  if (await models.letChoose()) await openChat((await models.current()).id);
}
