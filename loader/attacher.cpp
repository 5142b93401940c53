// SPDX-License-Identifier: Apache-2.0
#include "loader/attacher.h"

#include "loader/clsact_attacher.h"
#include "loader/probe.h"
#include "loader/tcx_attacher.h"

namespace natrix::loader {

Result<std::unique_ptr<Attacher>> MakeAttacher(const PinRoot& root, Method method) {
  if (method == Method::kAuto) {
    const auto tcx = HasTcxLinks();
    if (!tcx) return std::unexpected(tcx.error());
    method = *tcx ? Method::kTcx : Method::kClsact;
  }
  std::unique_ptr<Attacher> attacher;
  if (method == Method::kTcx)
    attacher = std::make_unique<TcxAttacher>(root);
  else
    attacher = std::make_unique<ClsactAttacher>(root);
  if (auto adopted = attacher->Adopt(); !adopted)
    return Fail(std::move(adopted).error(), "adopt what is attached");
  return attacher;
}

}  // namespace natrix::loader
