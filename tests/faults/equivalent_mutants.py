"""Changes that alter no result: part of a mutant's description -> why no test can notice it."""

EQUIVALENT: dict[str, dict[str, str]] = {
    "ops/matching": {
        "stable=True": "a CPU keeps the order of ties either way; a GPU does not",
        "And -> Or: interacts.device.type": "differs for no pairs on a GPU only",
    },
    "ops/pairing": {"max(count, 1)": "without entities nothing is divided"},
    "ops/prior": {"87 -> 88: -87": "both are below the threshold, 2e-38"},
    "losses/focal": {
        "device.type == 'cpu'": "both branches give one result; the other one is for GPUs",
        "torch.where(valid, losses, 0.0)": "on a CPU only valid verbs are left here",
        "torch.where(valid, log_prior, 0.0)": "likewise",
    },
    "losses/sentence": {
        "10000.0": "any number whose exponential is 0",
        "without USub: -1": "the last axis of two",
        "self.phrases.T - 1": "a constant in an exponent, which the normaliser divides out",
        "clamp_min(1e-12)": "a guard against division by 0 for rows of padding",
        "share.sum(1, keepdim=True)": "the length of a vector that is normalised next",
    },
    "losses/word": {
        "10000.0": "any number whose exponential is 0",
        "without USub: -1": "the last axis of two",
    },
    "metrics/matching": {
        "1 << 17": "the size of a chunk: speed",
        "1 << 20": "from which size a search is used in place of a table: speed",
        "4 * len(keys)": "likewise",
        "size <= 4": "likewise",
        "1 -> 2: -1": "any number that is no index",
    },
    "metrics/average_precision": {"copy=False": "speed"},
    "metrics/hicodet": {
        "And -> Or: len(scores)": "rows that are sorted already stay as they are",
        "0 -> 1: np.diff": "likewise",
        "Pow -> Mult: 2 ** 31": "keys of 64 bits: memory",
        "if not: not known.all()": "rows that are no HOI are left out below",
        "0 -> 1: keys[~known] = 0": "likewise",
        "True -> False: strict=True": "a guard: both sides have one length",
    },
    "metrics/vcoco": {
        "0 -> 1: np.diff(rows.images) < 0": "rows that are sorted stay as they are",
        "Lt -> LtE: np.diff(rows.images) < 0": "likewise",
        "Add -> Sub: near_person * len(truth.actions) + action": "also one key for each",
        "Add -> Sub: (near_person * len(truth.actions) + action)": "likewise",
        "1 -> 2: truth.objects.shape[2] + 1": "likewise",
        "zeros -> ones: np.zeros(len(first))": "the IoU of rows that meet no person is not read",
    },
}


def reason(module: str, what: str) -> str | None:
    """Why a mutant changes no result; None if it may."""
    known = EQUIVALENT.get(module, {})
    return next((why for part, why in known.items() if part in what), None)
