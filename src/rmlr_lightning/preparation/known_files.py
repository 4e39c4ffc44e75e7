"""SHA-256 of published annotation files: name -> hash -> where the file is from."""

_UPT_HICODET = "as in github.com/fredzzhang/hicodet"
_UPT_VCOCO = "as in github.com/fredzzhang/vcoco"
_OFFICIAL = "as in github.com/s-gupta/v-coco"

KNOWN: dict[str, dict[str, str]] = {
    "instances_test2015.json": {
        "cfeaefcc1e006a0d7d205dfba95ac6614341995d18613e016ae650d278757daa": _UPT_HICODET
    },
    "instances_vcoco_test.json": {
        "ccbe12875abb459692d85d2366381240bc883e5fdc22cf15610ea524de062326": _UPT_VCOCO
    },
    "instances_vcoco_train.json": {
        "712cb26acd8123089667c310f3b36f85ceb6a022626233d3138c34029a64b0ab": _UPT_VCOCO
    },
    "instances_vcoco_trainval.json": {
        "a9cd182d9fe4574e6743e43a40367fe524bab08d9cb56377f9be98bc7430d272": _UPT_VCOCO
    },
    "instances_vcoco_val.json": {
        "be8ff0b360f8dbb7023eb4b2a8b42afa13dba588ec009b1905a18a9ad2efd24c": _UPT_VCOCO
    },
    "vcoco_train.json": {
        "2267afe7adc0a6c3e8ac90fb35f6d3a5bd5cd3c7edebf0622d0cbb7a67fddf19": _OFFICIAL
    },
    "vcoco_val.json": {
        "2025bf42ce985a079ad88fd052aba47d85f1531c5b04a95804427c8bcb75eedd": _OFFICIAL
    },
    "vcoco_all.ids": {
        "78d776cbef72d42282602826dfda58666fa93fdf1e7a74c77b81b76a20458944": _OFFICIAL
    },
    "vcoco_test.ids": {
        "53a3d56987caff97125eea0f8a4c768c91f70a27eee146970faf0befaaa2fb23": _OFFICIAL
    },
    "vcoco_train.ids": {
        "9dfbf2164ad2ca6fe0d6efaf48b9cb7e2a95ecc76730d956b8cef22619cb800d": _OFFICIAL
    },
    "vcoco_trainval.ids": {
        "e5b61e7b80d8312b1a5de52ebdd71c9a922d3399353eca12b220afb8d3aaa8c2": _OFFICIAL
    },
    "vcoco_val.ids": {
        "bed7ea7e9f837b748373cf2b917dfe7b37bf12ae7b5978d3471f104c9367bbd3": _OFFICIAL
    },
}
